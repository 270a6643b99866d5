"""The models that come with the package, and how a model is found by what a user calls it."""

from __future__ import annotations

import difflib
from pathlib import Path

from seqfer.errors import ModelError
from seqfer.models.checkpoint import DESCRIPTION, Checkpoint, load_checkpoint

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
DEFAULT_MODEL = "compact"


def bundled_models() -> list[str]:
    """The names of the models inside the package."""
    return sorted(path.parent.name for path in WEIGHTS_FOLDER.glob(f"*/{DESCRIPTION}"))


def model_folder(name: str) -> Path:
    """Where a bundled model lies."""
    return WEIGHTS_FOLDER / name


def load_model(model: str | Path = DEFAULT_MODEL) -> Checkpoint:
    """A bundled model by its name, or any model by its folder.

    Raises:
        ModelError: there is no such model, or its folder is not whole.
    """
    known = bundled_models()
    if str(model) in known:
        return load_checkpoint(model_folder(str(model)), str(model))
    path = Path(model)
    if len(path.parts) > 1 or _is_there(path):
        return load_checkpoint(path)
    close = difflib.get_close_matches(str(model), known, n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    raise ModelError(f"unknown model {str(model)!r}; {meant}known: {', '.join(known)}; or give a model's folder")


def _is_there(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, for one
        return False
