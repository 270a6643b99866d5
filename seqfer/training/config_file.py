"""Settings of a training run as YAML files: a file names only what differs from `seqfer.training.config`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqfer.errors import OptionError
from seqfer.settings import parse_settings, read_settings
from seqfer.settings import to_yaml as to_yaml
from seqfer.training.config import TrainConfig

DESCRIBED_IN = "docs/settings.md"
PACKAGE = Path(__file__).parents[1]
# Inside the package where it was installed, beside it in a checkout.
CONFIG_FOLDERS = (PACKAGE / "configs", PACKAGE.parent / "configs")


def known_configs() -> dict[str, Path]:
    """The settings that come with seqfer, by name."""
    folder = next(folder for folder in CONFIG_FOLDERS if folder.is_dir())
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_config(path: str | Path, changes: Sequence[str] = ()) -> TrainConfig:
    """The settings in a YAML file.

    Args:
        path: of the file, or the name of one that comes with seqfer.
        changes: `key=value` each, as `optimizer.rate=0.01`; the value is YAML too.

    Raises:
        OptionError: the file is missing or no YAML, a key is unknown, or a value has the wrong type or range.
    """
    known = known_configs()
    if str(path) in known:
        path = known[str(path)]
    elif not Path(path).exists() and not Path(path).suffix:
        raise OptionError(f"unknown settings {str(path)!r}; known: {', '.join(known)}; or give a YAML file")
    return read_settings(
        TrainConfig, Path(path), changes, example="optimizer.rate=0.01", described_in=DESCRIBED_IN
    )


def parse_config(document: dict[str, Any], source: str) -> TrainConfig:
    """Settings from plain values, every key and type checked; `source` names them in an error."""
    return parse_settings(TrainConfig, document, source, DESCRIBED_IN)
