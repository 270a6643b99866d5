"""Which of the data sets that the papers need are at hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from seqfer.errors import SeqferError


@cache
def how_present(kind: str, root: Path) -> str:
    """In words, whether a data set lies in a folder: its clips are listed, none is opened."""
    if not root.exists():
        return f"{root}: not there"
    from seqfer.datasets.layouts.found import LayoutOptions
    from seqfer.datasets.layouts.registry import read_layout

    try:
        found = read_layout(kind, root, LayoutOptions())
    except SeqferError:
        return f"{root}: is no {kind}"
    return f"{root}: {len(found.records):,} clips"
