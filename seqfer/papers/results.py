"""The rows of a paper's table: what its evaluations say, with splits, numbers and intervals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from seqfer.errors import OutputError
from seqfer.evaluation.tables import markdown_table
from seqfer.files import write_whole
from seqfer.papers.types import Paper, Protocol

ROWS, TABLE, METRICS = "rows.json", "rows.md", "metrics.json"
MEASURES = ("accuracy", "uar", "macro_f1")


@dataclass(frozen=True)
class Row:
    """One system under one protocol.

    Attributes:
        paper, system, protocol: names.
        what: the protocol does.
        split: what was measured.
        clips: how many.
        units: what was resampled for the intervals.
        values: accuracy, UAR and macro F1, each with the ends of its 95 % interval.
        leaky: why the figures cannot be trusted; "" for no known reason.
        changes: of settings, as "epochs=5": what differs from the paper's system besides.
    """

    paper: str
    system: str
    protocol: str
    what: str
    split: str
    clips: int
    units: str
    values: dict[str, tuple[float, float, float]]
    leaky: str
    changes: tuple[str, ...] = ()

    def figures(self) -> list[str]:
        """Accuracy, UAR and macro F1 in words."""
        found = (self.values[name] for name in MEASURES)
        return [f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})" for value, low, high in found]


def is_measured(protocol: Protocol, place: Path) -> bool:
    """Whether all of a protocol's evaluations lie in a folder."""
    return bool(protocol.systems) and all((place / path / METRICS).is_file() for path in protocol.systems.values())


def rows_of(paper: Paper, protocol: Protocol, place: Path, changes: Sequence[str] = ()) -> list[Row]:
    """The rows of a protocol that was run in a folder.

    Args:
        paper: whose.
        protocol: which.
        place: the folder.
        changes: of settings with which it was run.

    Raises:
        OutputError: an evaluation is missing or damaged.
    """
    rows = []
    for system, folder in protocol.systems.items():
        path = place / folder / METRICS
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            intervals = found["intervals"]
            values = {name: (found[name], *intervals[name]) for name in MEASURES}
            row = Row(
                paper.name,
                system,
                protocol.name,
                protocol.what,
                found["split"],
                found["clips"],
                f"{intervals['units']} {intervals['method'].partition(' over ')[2]}",
                values,
                "; ".join(filter(None, (protocol.leaky, found["leaky"]))),
                tuple(changes),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(path, f"holds no evaluation ({error})") from error
        rows.append(row)
    return rows


def write_rows(rows: Sequence[Row], folder: Path) -> None:
    """Write rows as JSON and as a table in Markdown.

    Raises:
        OutputError: the folder cannot be written.
    """
    with write_whole(folder / ROWS) as place:
        place.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    with write_whole(folder / TABLE) as place:
        place.write_text(to_markdown(rows), encoding="utf-8")


def to_markdown(rows: Sequence[Row]) -> str:
    """Rows as a table; a dagger marks figures of splits that leak."""
    head = ("system", "protocol", "measured", "n", "accuracy (95 %)", "UAR (95 %)", "macro F1 (95 %)")
    cells = []
    for row in rows:
        changed = f" (with `{' '.join(row.changes)}`)" if row.changes else ""
        protocol = f"{row.protocol}: {row.what}{changed}{' †' if row.leaky else ''}"
        cells.append((row.system, protocol, row.split, f"{row.clips:,}", *row.figures()))
    leaks = dict.fromkeys(row.leaky for row in rows if row.leaky)
    notes = [f"† not to be trusted: {why}\n" for why in leaks]
    return "\n".join([*markdown_table(head, cells), *notes])
