#!/usr/bin/env python
"""Write the figures into the bundled models' cards, from what `scripts/measure_model.py --save` left with them.

In docs/models/NAME.md the lines between the two marks are replaced; everything else is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqfer.evaluation.metrics import metrics
from seqfer.evaluation.stills import ALL
from seqfer.files import write_whole
from seqfer.models.bundled import bundled_models, load_model

CARDS = Path(__file__).parents[1] / "docs" / "models"
BEGIN, END = "<!-- figures, written by scripts/write_cards.py -->", "<!-- end of figures -->"
ROLES = {"PublicTest": "chose the model", "PrivateTest": "measured"}


def main() -> None:
    for name in bundled_models():
        card = CARDS / f"{name}.md"
        with write_whole(card) as place:
            place.write_text(page(name, card.read_text(encoding="utf-8")), encoding="utf-8")


def page(name: str, text: str) -> str:
    """A model's card, its figures brought up to date."""
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    checkpoint = load_model(name)
    found = checkpoint.provenance.metrics
    parts = (
        splits(found),
        f"On PrivateTest, read in other ways, and parts of it:\n\n{ways(found['PrivateTest'])}",
        f"PrivateTest's confusion matrix, rows are the truth:\n\n"
        f"{classes(found['PrivateTest'], checkpoint.model.architecture.labels)}",
        f"Clips made from PrivateTest's stills, read as wholes and as the mean of their frames read alone:\n\n"
        f"{clips(found['PrivateTest'])}",
    )
    return head + BEGIN + "\n" + "\n".join(parts) + END + tail


def splits(found: dict[str, Any]) -> str:
    """The figures on both held-out splits."""
    rows = (
        (
            f"{split} ({role})",
            str(found[split]["n"]),
            *(shown(found[split], key) for key in ("accuracy", "uar", "macro_f1")),
            percent(found[split]["ece"]),
        )
        for split, role in ROLES.items()
    )
    return table(("split", "n", "accuracy", "UAR", "macro F1", "ECE, 15 bins"), rows)


def ways(figures: dict[str, Any]) -> str:
    """All stills read in other ways, and parts of them."""
    rows = (
        (text, str(part["n"]), shown(part, "accuracy"), shown(part, "uar"))
        for text, part in {ALL: figures, **figures}.items()
        if isinstance(part, dict) and "accuracy" in part
    )
    return table(("stills", "n", "accuracy", "UAR"), rows)


def classes(figures: dict[str, Any], labels: Iterable[str]) -> str:
    """The confusion matrix, and what it says of each expression."""
    matrix, names = np.array(figures["confusion_matrix"]), list(labels)
    per = metrics(matrix)
    rows = (
        (
            f"{label} (n = {row.sum()})",
            *(str(count) for count in row),
            *(percent(float(values[k])) for values in (per.recall, per.precision, per.f1)),
        )
        for k, (label, row) in enumerate(zip(names, matrix, strict=True))
    )
    return table(("", *names, "recall", "precision", "F1"), rows)


def clips(figures: dict[str, Any]) -> str:
    """Clips made from stills: the head beside frames read alone."""
    rows = (
        (
            text,
            str(part["clips"]),
            *(percent(part[key]) for key in ("clip_accuracy", "clip_accuracy_of_means")),
            *(percent(part[key]) for key in ("frame_accuracy", "frame_accuracy_alone")),
            *(f"{part[key]:.1f}" for key in ("changes_per_s", "changes_per_s_alone")),
        )
        for text, part in figures["clips"].items()
    )
    columns = ("clip accuracy", "mean of frames", "frame accuracy", "alone", "label changes per second", "alone")
    return table(("clips", "n", *columns), rows)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as a table of Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def shown(figures: dict[str, Any], key: str) -> str:
    """A figure and its 95 % interval."""
    low, high = figures[f"{key}_interval"]
    return f"{percent(figures[key])} ({100 * low:.1f} to {100 * high:.1f})"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()
