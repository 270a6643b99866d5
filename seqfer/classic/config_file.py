"""Settings of a forest as YAML files: a file names only what differs from `seqfer.classic.config`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqfer.classic.config import ClassicConfig
from seqfer.settings import FOREST, read_settings, shipped_files

EXAMPLE = "forest.trees=200"  # of a change that --set takes
DESCRIBED_IN = "docs/settings.md"


def known_forests() -> dict[str, Path]:
    """The settings of forests that come with seqfer, by name."""
    return {name: path for name, path in shipped_files().items() if name.endswith(FOREST)}


def read_config(path: str | Path, changes: Sequence[str] = ()) -> ClassicConfig:
    """The settings in a YAML file.

    Args:
        path: of the file, or the name of one that comes with seqfer.
        changes: `key=value` each, as `forest.trees=200`; the value is YAML too.

    Raises:
        OptionError: the file is missing or no YAML, a key is unknown, or a value has the wrong type or range.
    """
    return read_settings(ClassicConfig, path, changes, known_forests(), EXAMPLE, DESCRIBED_IN)
