"""The state of a training run on disk, from which it goes on where it was stopped."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from seqfer.errors import ModelError
from seqfer.files import write_whole


class Stateful(Protocol):
    """A module, an optimiser or a schedule."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


class RunState:
    """Saves and restores what a run has done so far, what its best validation was, and all its parts."""

    def __init__(self, path: Path, origin: dict[str, Any], **parts: Stateful) -> None:
        """
        Args:
            path: the file.
            origin: what the run was begun with, recipe and data; it goes on only under the same.
            parts: everything that changes while the run goes on, by name.
        """
        self._path, self._origin, self._parts = path, origin, parts

    def restore(self) -> tuple[int, float]:
        """Bring the parts to where the run stands: (epochs or steps done, best validation so far).

        Raises:
            ModelError: the run was begun with something else, or its state is damaged or missing.
        """
        if not self._path.exists():
            if (self._path.parent / "best").exists():
                raise ModelError(f"{self._path}: missing beside a trained model; choose another run folder")
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return 0, 0.0
        try:
            state = torch.load(self._path, map_location="cpu", weights_only=True)
            origin = dict(state["origin"])
        except OSError:
            raise
        except Exception as error:  # an unpickler meets what is no pickle with errors of every kind
            raise ModelError(f"{self._path}: is damaged; choose another run folder") from error
        if origin != self._origin:
            both = {**origin, **self._origin}
            changed = [key for key in both if origin.get(key) != self._origin.get(key)]
            raise ModelError(
                f"{self._path}: the run was begun with another {' and '.join(changed)}; choose another run folder"
            )
        for name, part in self._parts.items():
            if state[name]:  # on another device, losses may not have been scaled
                part.load_state_dict(state[name])
        return int(state["done"]), float(state["best"])

    def save(self, done: int, best: float = 0.0) -> None:
        """Write the parts as they are now; an earlier state stays until this one is whole."""
        parts = {name: part.state_dict() for name, part in self._parts.items()}
        buffer = io.BytesIO()  # on a full disk torch.save itself fails with more than one line
        torch.save({"origin": self._origin, "done": done, "best": best, **parts}, buffer)
        with write_whole(self._path) as partial:
            partial.write_bytes(buffer.getbuffer())


def digest_of(module: nn.Module) -> str:
    """SHA-256 of a module's weights: names what another one was trained on top of."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
