#!/usr/bin/env python
"""Write the figures into the bundled models' cards, from what `scripts/measure_model.py --save` left with them.

In docs/models/NAME.md the lines between the two marks are replaced; everything else is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqfer.cli.console import errors_on_one_line
from seqfer.evaluation.metrics import metrics
from seqfer.evaluation.stills import ALL
from seqfer.evaluation.tables import markdown_table, percent, points, with_interval
from seqfer.files import write_whole
from seqfer.models.bundled import bundled_models, load_model

CARDS = Path(__file__).parents[1] / "docs" / "models"
BEGIN, END = "<!-- figures, written by scripts/write_cards.py -->", "<!-- end of figures -->"
ROLES = {"PublicTest": "chose the model", "PrivateTest": "measured"}
CLIPS = ("clip_accuracy", "clip_accuracy_of_means")
FRAMES = ("frame_accuracy", "frame_accuracy_alone", "frame_ece")


def main() -> None:
    for name in bundled_models():
        card = CARDS / f"{name}.md"
        text = page(name, card.read_text(encoding="utf-8"))
        with write_whole(card) as place:
            place.write_text(text, encoding="utf-8")


def page(name: str, text: str) -> str:
    """A model's card, its figures brought up to date."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    checkpoint = load_model(name)
    found = checkpoint.provenance.metrics
    private = found["PrivateTest"]
    lines = [
        *splits(found),
        "On PrivateTest, read in other ways, and parts of it:",
        "",
        *ways(private),
        "PrivateTest's confusion matrix, rows are the truth:",
        "",
        *classes(private, list(checkpoint.model.architecture.labels)),
        "Clips made from PrivateTest's stills, read as wholes and as the mean of their frames read alone. Clip",
        "accuracy and what is gained over that mean (paired 95 % interval, points) are those of the n clips that",
        "show one expression throughout, the other figures those of all:",
        "",
        *clips(private),
    ]
    return f"{before}{BEGIN}\n" + "\n".join(lines) + END + after


def splits(found: dict[str, Any]) -> list[str]:
    """The figures on both held-out splits."""
    rows = (
        (
            f"{split} ({role})",
            str(found[split]["n"]),
            *(with_interval(found[split], key) for key in ("accuracy", "uar", "macro_f1")),
            percent(found[split]["ece"]),
        )
        for split, role in ROLES.items()
    )
    return markdown_table(("split", "n", "accuracy", "UAR", "macro F1", "ECE, 15 bins"), rows)


def ways(figures: dict[str, Any]) -> list[str]:
    """All stills read in other ways, and parts of them."""
    rows = (
        (text, str(part["n"]), with_interval(part, "accuracy"), with_interval(part, "uar"))
        for text, part in {ALL: figures, **figures}.items()
        if isinstance(part, dict) and "accuracy" in part
    )
    return markdown_table(("stills", "n", "accuracy", "UAR"), rows)


def classes(figures: dict[str, Any], labels: Sequence[str]) -> list[str]:
    """The confusion matrix, and what it says of each expression."""
    matrix = np.array(figures["confusion_matrix"])
    per = metrics(matrix)
    rows = (
        (
            f"{label} (n = {matrix[k].sum()})",
            *(str(count) for count in matrix[k]),
            *(percent(float(values[k])) for values in (per.recall, per.precision, per.f1)),
        )
        for k, label in enumerate(labels)
    )
    return markdown_table(("", *labels, "recall", "precision", "F1"), rows)


def clips(figures: dict[str, Any]) -> list[str]:
    """Clips made from stills: the head beside frames read alone."""
    rows = (
        (
            text,
            str(part["clips"]),
            *(percent(part[key]) for key in CLIPS),
            points(part["gain"]),
            *(percent(part[key]) for key in FRAMES),
            *(f"{part[key]:.1f}" for key in ("changes_per_s", "changes_per_s_alone")),
        )
        for text, part in figures["clips"].items()
    )
    accuracies = ("clip accuracy", "mean of frames", "gain", "frame accuracy", "alone", "ECE of frames")
    return markdown_table(("clips", "n", *accuracies, "label changes per second", "alone"), rows)


if __name__ == "__main__":
    with errors_on_one_line():
        main()
