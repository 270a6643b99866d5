from __future__ import annotations

from pathlib import Path

import torch

from seqfer.training.state import RunState


def test_a_run_goes_on_where_losses_are_scaled_and_were_not_before(tmp_path: Path) -> None:
    """As one that was begun on a processor and goes on, in float16, on an older GPU; and the way back."""
    for before, after in ((False, True), (True, False)):
        path = tmp_path / str(before) / "state.pt"
        begun = RunState(path, {"rate": 1}, scaler=torch.amp.GradScaler("cpu", enabled=before))
        assert begun.restore() == (0, 0.0)
        begun.save(3, 0.5)
        assert RunState(path, {"rate": 1}, scaler=torch.amp.GradScaler("cpu", enabled=after)).restore() == (3, 0.5)
