from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seqfer.errors import OutputError
from seqfer.evaluation.predictions import Predictions
from seqfer.evaluation.report import evaluate, write_evaluation
from seqfer.labels import LabelSet
from seqfer.papers.results import is_measured, rows_of, to_markdown, write_rows
from seqfer.papers.types import Paper, Protocol

PROTOCOL = Protocol("paper", "80/20 by images", lambda data, out, changes: [], {"one": "a", "other": "b"})
PAPER = Paper("p0", "a title", "folder", "99 %", (PROTOCOL,))


def evaluated(folder: Path, leaky: str) -> None:
    """An evaluation of 40 clips of 20 people, of which 30 are answered rightly."""
    truth = np.arange(40) % 2
    answers = np.where(np.arange(40) < 30, truth, 1 - truth)
    predictions = Predictions(
        LabelSet(("happy", "sad")),
        tuple(f"c{k}" for k in range(40)),
        tuple(f"S{k // 2}" for k in range(40)),
        truth,
        np.eye(2)[answers] * 0.6 + 0.2,
        ((0.0,),) * 40,
        tuple(np.full((1, 2), 0.5, np.float32) for _ in range(40)),
    )
    origin = {"model": {"name": "m", "sha256": "0"}, "data": "m.csv", "split": "test"}
    folder.mkdir()
    write_evaluation(evaluate(predictions, origin, leaky), folder)


def test_rows_say_what_the_evaluations_found(tmp_path: Path) -> None:
    evaluated(tmp_path / "a", leaky="")
    assert not is_measured(PROTOCOL, tmp_path), "one of two systems"
    evaluated(tmp_path / "b", leaky="image: frames stand on both sides")
    assert is_measured(PROTOCOL, tmp_path)
    assert not is_measured(replace(PROTOCOL, systems={}), tmp_path)
    rows = rows_of(PAPER, PROTOCOL, tmp_path)
    assert [(row.system, row.clips, row.units, row.leaky) for row in rows] == [
        ("one", 40, "20 subjects", ""),
        ("other", 40, "20 subjects", "image: frames stand on both sides"),
    ]
    value, low, high = rows[0].values["accuracy"]
    assert value == 0.75
    assert low < 0.75 < high
    write_rows(rows, tmp_path)
    assert [row["system"] for row in json.loads((tmp_path / "rows.json").read_text())] == ["one", "other"]
    table = (tmp_path / "rows.md").read_text()
    assert table == to_markdown(rows)
    assert f"| one | paper: 80/20 by images | test | 40 | 75.0 % ({100 * low:.1f} to {100 * high:.1f}) |" in table
    assert "| other | paper: 80/20 by images † |" in table
    assert table.endswith("\n† not to be trusted: image: frames stand on both sides\n")


@pytest.mark.parametrize("content", [None, "{", "[]", '{"accuracy": 1}'], ids=["none", "cut", "list", "other"])
def test_an_evaluation_that_is_not_there_is_named(content: str | None, tmp_path: Path) -> None:
    evaluated(tmp_path / "a", leaky="")
    if content is not None:
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "metrics.json").write_text(content)
    with pytest.raises(OutputError, match="holds no evaluation"):
        rows_of(PAPER, PROTOCOL, tmp_path)


def test_every_figure_stands_in_its_own_column(tmp_path: Path) -> None:
    intervals = {"accuracy": [0.45, 0.55], "uar": [0.35, 0.45], "macro_f1": [0.25, 0.35]}
    document = {"accuracy": 0.5, "uar": 0.4, "macro_f1": 0.3, "split": "test", "clips": 9, "leaky": ""}
    document["intervals"] = {"units": 3, "method": "x over subjects", **intervals}
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(json.dumps(document))
    values = rows_of(PAPER, PROTOCOL, tmp_path)[0].values
    assert values == {"accuracy": (0.5, 0.45, 0.55), "uar": (0.4, 0.35, 0.45), "macro_f1": (0.3, 0.25, 0.35)}
