"""A comparison's files: a page to read, the same figures as JSON, pictures of the classes and both matrices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seqfer import __version__
from seqfer.evaluation.bootstrap import RESAMPLES
from seqfer.evaluation.comparison import Comparison
from seqfer.evaluation.figures import plot_classes, plot_matrices
from seqfer.evaluation.metrics import metrics
from seqfer.evaluation.report import FEW_UNITS, WHAT_IT_SAYS
from seqfer.evaluation.tables import markdown_table, percent, points

PAGE, DOCUMENT, CLASSES = "comparison.md", "comparison.json", "classes.png"
COUNTS, SHARES = "matrices.png", "matrices_normalized.png"
OWN_FILES = (PAGE, DOCUMENT, CLASSES, COUNTS, SHARES)
PER_CLASS = {"precision": "precision", "recall": "recall", "F1": "f1"}
CLASS_COLUMNS = ("label", "clips", *(f"{name} {model}" for name in PER_CLASS for model in "AB"))
TITLES = {"accuracy": "accuracy (WAR)", "uar": "UAR (mean recall of the classes)", "macro_f1": "macro F1"}


def write_comparison(found: Comparison, folder: Path) -> None:
    """Write a comparison's files into an existing folder."""
    document = json.dumps(to_document(found), indent=2, allow_nan=False)
    (folder / DOCUMENT).write_text(document + "\n", encoding="utf-8")
    (folder / PAGE).write_text(to_markdown(found), encoding="utf-8")
    both = [metrics(matrix) for matrix in found.matrices]
    per_class = {name: [figures.of_classes(key) for figures in both] for name, key in PER_CLASS.items()}
    plot_classes(per_class, found.labels, names_of(found)).savefig(folder / CLASSES)
    for name, shares in ((COUNTS, False), (SHARES, True)):
        plot_matrices(found.matrices, found.labels, names_of(found), shares).savefig(folder / name)


def names_of(found: Comparison) -> tuple[str, str]:
    """What A and B are called: the models, and where those have the same name their evaluations too."""
    folders = [str(origin.get("folder", model)) for origin, model in zip(found.origins, "AB", strict=True)]
    names = [
        str(origin["model"]["name"]) if "model" in origin else Path(folder).name
        for origin, folder in zip(found.origins, folders, strict=True)
    ]
    if names[0] == names[1]:
        names = [f"{name} ({folder})" for name, folder in zip(names, folders, strict=True)]
    return names[0], names[1]


def class_rows(found: Comparison) -> list[list[str]]:
    """Precision, recall and F1 of each class under `CLASS_COLUMNS`, as text."""
    a, b = (metrics(matrix) for matrix in found.matrices)
    return [
        [name, str(a.support[k]), *(percent(m.of_classes(key)[k]) for key in PER_CLASS.values() for m in (a, b))]
        for k, name in enumerate(found.labels)
    ]


def to_document(found: Comparison) -> dict[str, Any]:
    """All figures in plain numbers, texts, lists and mappings."""
    both = [metrics(matrix) for matrix in found.matrices]
    classes = {
        name: {
            "support": int(both[0].support[k]),
            **{
                model: {key: float(getattr(figures, key)[k]) for key in PER_CLASS.values()}
                for model, figures in zip("ab", both, strict=True)
            },
        }
        for k, name in enumerate(found.labels)
    }
    return {
        "note": WHAT_IT_SAYS,
        "version": __version__,
        "a": found.origins[0],
        "b": found.origins[1],
        "clips": both[0].count,
        "figures": {
            name: {"a": a, "b": b, "difference": difference, "interval": [low, high]}
            for name, (a, b, difference, low, high) in found.figures.items()
        },
        "intervals": {
            "level": 0.95,
            "method": f"paired percentile bootstrap over {found.units[0]}",
            "units": found.units[1],
            "resamples": RESAMPLES,
        },
        "mcnemar": {"only_a": found.only_a, "only_b": found.only_b, "p": found.p},
        "classes": classes,
        "confusion_matrices": {
            "labels": list(found.labels),
            "a": found.matrices[0].tolist(),
            "b": found.matrices[1].tolist(),
        },
    }


def to_markdown(found: Comparison) -> str:
    """The page: what was compared, on what, how far apart the two are, and in which classes."""
    names, (kind, count) = names_of(found), found.units
    lines = [f"# {names[0]} and {names[1]}", ""]
    for model, origin in zip("AB", found.origins, strict=True):
        if leaky := origin.get("leaky"):
            lines += [f"> **The figures of {model} cannot be trusted**: {leaky}.", ""]
    lines += [WHAT_IT_SAYS, ""]
    facts = [
        [fact, *(str(origin.get(fact, "not known")) for origin in found.origins)]
        for fact in ("folder", "data", "split", "faces")
    ]
    lines += markdown_table(["", "A", "B"], [["model", *names], *facts])
    lines += [f"Both were measured on the same {metrics(found.matrices[0]).count} clips with the same labels.", ""]
    lines += markdown_table(
        ["figure", "A", "B", "B - A", "95 % interval of B - A"],
        [
            [TITLES[name], percent(a), percent(b), f"{100 * d:+.1f}", points((low, high))]
            for name, (a, b, d, low, high) in found.figures.items()
        ],
    )
    lines += [f"Intervals: paired bootstrap over {count} {kind}, {RESAMPLES} resamples.", ""]
    if count < FEW_UNITS:
        lines += [f"**{count} {kind} are too few for an interval**: these are narrower than they should be.", ""]
    lines += [f"{mcnemar(found)}. The test takes clips for independent.", "", "## Classes", ""]
    lines += markdown_table(CLASS_COLUMNS, class_rows(found))
    lines += [f"![Precision, recall and F1 of each class]({CLASSES})", ""]
    lines += [f"![Counts]({COUNTS})", "", f"![Shares of each row]({SHARES})", ""]
    return "\n".join(lines)


def mcnemar(found: Comparison) -> str:
    """How many clips one model alone answers rightly, and how likely so uneven a split is by chance."""
    alone = f"Rightly answered by A alone {found.only_a}, by B alone {found.only_b}"
    return f"{alone}; McNemar's exact p = {found.p:.3g}"
