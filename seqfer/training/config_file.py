"""Settings of a training run as YAML files: a file names only what differs from `seqfer.training.config`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqfer.settings import FOREST, SWEEP, parse_settings, read_settings, sections_of, shipped_files
from seqfer.settings import to_yaml as to_yaml
from seqfer.training.config import TrainConfig

EXAMPLE = "optimizer.rate=0.01"  # of a change that --set takes
DESCRIBED_IN = "docs/settings.md"


def known_configs() -> dict[str, Path]:
    """The settings that come with seqfer, by name: our own first, then the papers'."""
    return {name: path for name, path in shipped_files().items() if not name.endswith((SWEEP, FOREST))}


def read_config(path: str | Path, changes: Sequence[str] = ()) -> TrainConfig:
    """The settings in a YAML file.

    Args:
        path: of the file, or the name of one that comes with seqfer.
        changes: `key=value` each, as `optimizer.rate=0.01`; the value is YAML too.

    Raises:
        OptionError: the file is missing or no YAML, a key is unknown, or a value has the wrong type or range.
    """
    return read_settings(TrainConfig, path, changes, known_configs(), EXAMPLE, DESCRIBED_IN)


def parse_config(document: dict[str, Any], source: str) -> TrainConfig:
    """Settings from plain values, every key and type checked; `source` names them in an error."""
    return parse_settings(TrainConfig, document, source, DESCRIBED_IN)


def is_section(key: str) -> bool:
    """Whether a dotted name stands for settings of its own, as `optimizer` does."""
    return key in sections_of(TrainConfig)
