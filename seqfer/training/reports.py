"""What a run tells while it goes on, and what it remembers of the epochs done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class StepReport:
    """Where a run stands within an epoch.

    Attributes:
        epoch: counted from 1.
        step: steps done in it.
        steps: of the whole epoch.
        loss: mean training loss of the epoch so far.
        rate: the learning rate.
        clips_per_s: since the last report.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    rate: float
    clips_per_s: float


@dataclass(frozen=True)
class EpochReport:
    """What an epoch brought.

    Attributes:
        epoch: counted from 1.
        loss: mean training loss.
        validation: figures of the validation clips, as in the history; None if there are none.
        best: whether it is the best epoch so far.
        seconds: wall time, validation included, since the run was begun or resumed within the epoch.
    """

    epoch: int
    loss: float
    validation: dict[str, Any] | None
    best: bool
    seconds: float


@dataclass
class Progress:
    """What a run remembers beside weights; a part of its state.

    Attributes:
        history: an entry for each epoch done, as written to metrics.jsonl.
        losses: of the steps done in the epoch that runs.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history, "losses": self.losses}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history, self.losses = list(state_dict["history"]), list(state_dict["losses"])
