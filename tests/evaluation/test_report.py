from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

from seqfer.evaluation.report import (
    OWN_FILES,
    WHAT_IT_SAYS,
    evaluate,
    most_confident_mistakes,
    to_markdown,
    write_evaluation,
)
from seqfer.labels import LabelSet
from tests.evaluation.examples import predictions

ORIGIN = {"model": {"name": "compact", "sha256": "0" * 64}, "data": "m.csv", "split": "test"}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_files_agree_with_each_other_and_with_scikit_learn(tmp_path: Path) -> None:
    made = predictions()
    write_evaluation(evaluate(made, ORIGIN), tmp_path, frames=True)
    assert {path.name for path in tmp_path.iterdir()} == set(OWN_FILES) - {"mistakes.png"}
    document = json.loads((tmp_path / "metrics.json").read_text())
    assert document["note"] == WHAT_IT_SAYS
    assert document["accuracy"] == pytest.approx(sk.accuracy_score(made.truth, made.predicted), abs=1e-12)
    assert document["uar"] == pytest.approx(sk.balanced_accuracy_score(made.truth, made.predicted), abs=1e-12)
    assert document["confusion_matrix"] == sk.confusion_matrix(made.truth, made.predicted).tolist()
    assert document["intervals"]["method"] == "percentile bootstrap over subjects"
    assert document["intervals"]["units"] == 6
    low, high = document["intervals"]["accuracy"]
    assert low < document["accuracy"] < high
    assert sum(found["clips"] for found in document["subjects"].values()) == 60

    clips = rows_of(tmp_path / "predictions.csv")
    assert np.mean([row["label"] == row["predicted"] for row in clips]) == pytest.approx(document["accuracy"])
    assert float(clips[0]["confidence"]) == pytest.approx(made.probabilities[0].max(), abs=1e-5)
    frames = rows_of(tmp_path / "frame_predictions.csv")
    assert len(frames) == sum(len(times) for times in made.frame_times_s)
    matrix = rows_of(tmp_path / "confusion_matrix.csv")
    assert [int(row[row["truth"]]) for row in matrix] == np.diag(document["confusion_matrix"]).tolist()


def test_the_report_says_what_its_reader_must_know() -> None:
    text = to_markdown(evaluate(predictions(), ORIGIN))
    assert text.startswith("# compact on m.csv, split test")
    assert WHAT_IT_SAYS in text
    assert "Intervals: bootstrap over 6 subjects" in text
    assert "cannot be trusted" not in text
    assert "| S0 | 10 |" in text

    assert "**6 subjects are too few for an interval**" in text
    assert "too few" not in to_markdown(evaluate(predictions(subjects=12), ORIGIN))

    text = to_markdown(evaluate(predictions(subjects=0), ORIGIN, leaky="image: pictures of one clip"))
    assert "**These figures cannot be trusted**: image: pictures of one clip" in text
    assert "Subjects are not known" in text
    assert "## Subjects" not in text

    four = LabelSet(("angry", "happy", "sad", "neutral"))
    assert "No clip is neutral" in to_markdown(evaluate(predictions(labels=four), ORIGIN))


def test_mistakes_come_with_the_surest_first() -> None:
    made = predictions()
    found = most_confident_mistakes(made, 5)
    assert len(found) == 5
    assert all(made.predicted[k] != made.truth[k] for k in found)
    confidences = made.probabilities.max(1)
    assert list(confidences[found]) == sorted(confidences[found], reverse=True)
    wrong = made.predicted != made.truth
    assert confidences[found[0]] == confidences[wrong].max()
    assert len(most_confident_mistakes(made, 1000)) == wrong.sum()
