"""Figures and tables as text: shares in per cent, intervals, Markdown, CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any


def percent(share: float) -> str:
    """A share in [0, 1] in per cent, with one digit; a dash for NaN."""
    return "–" if isnan(share) else f"{100 * share:.1f} %"


def bounds(interval: tuple[float, float]) -> str:
    """An interval of a share, in per cent."""
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def points(interval: tuple[float, float]) -> str:
    """An interval of a difference of shares, in points of a hundred."""
    return f"{100 * interval[0]:+.1f} to {100 * interval[1]:+.1f}"


def with_interval(figures: Mapping[str, Any], key: str) -> str:
    """A figure that stands beside its interval, as `uar` beside `uar_interval`."""
    return f"{percent(figures[key])} ({bounds(figures[f'{key}_interval'])})"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table, with an empty one below."""
    lines = [head, ["---"] * len(head), *rows]
    return [*(f"| {' | '.join(cells)} |" for cells in lines), ""]


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows, the first of them the columns' names."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
