from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

from seqfer.evaluation.calibration import reliability
from seqfer.evaluation.report import (
    OWN_FILES,
    WHAT_IT_SAYS,
    evaluate,
    most_confident_mistakes,
    to_markdown,
    write_evaluation,
)
from seqfer.evaluation.tables import percent
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
    text = to_markdown(evaluate(predictions(labels=four), ORIGIN))
    assert "No clip is neutral" in text
    assert "| neutral | 0 | – | – | – |" in text

    assert "not be read" not in text
    text = to_markdown(evaluate(predictions(), {**ORIGIN, "left_out": 3}))
    assert "60 clips, 6 subjects. **3 more could not be read or show no face**: they count for nothing." in text


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


def test_intervals_are_those_of_subjects() -> None:
    right = np.arange(400) % 20 % 2 == 0  # of 20 people, each is always or never read rightly
    probabilities = np.where(right[:, None], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1])
    made = replace(predictions(400, 20), truth=np.zeros(400, np.int64), probabilities=probabilities)
    low, high = evaluate(made, ORIGIN).intervals["accuracy"]
    assert high - low > 0.3


def test_classes_subjects_and_calibration_are_what_others_make_of_them(tmp_path: Path) -> None:
    made = predictions()
    write_evaluation(evaluate(made, ORIGIN), tmp_path, frames=True)
    document = json.loads((tmp_path / "metrics.json").read_text())
    assert document["ece"] == pytest.approx(reliability(made.probabilities, made.truth).ece)
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        made.truth, made.predicted, labels=range(3)
    )
    for k, name in enumerate(made.labels):
        assert list(document["classes"][name].values()) == pytest.approx(
            [support[k], precision[k], recall[k], f1[k]]
        )
    for name, figures in document["subjects"].items():
        own = np.array(made.subject_ids) == name
        truth, predicted = made.truth[own], made.predicted[own]
        assert figures["accuracy"] == pytest.approx(sk.accuracy_score(truth, predicted))
        uar = sk.recall_score(truth, predicted, average="macro", labels=np.unique(truth))
        assert figures["uar"] == pytest.approx(uar)


def test_tables_hold_every_clip_and_frame_under_its_own_name(tmp_path: Path) -> None:
    made = predictions()
    # Frames that say something else than their clip.
    frames = tuple(np.roll(shares, 1, axis=1) for shares in made.frame_probabilities)
    made = replace(made, frame_probabilities=frames)
    write_evaluation(evaluate(made, ORIGIN), tmp_path, frames=True)
    names = list(made.labels)
    for k, row in enumerate(rows_of(tmp_path / "predictions.csv")):
        assert [float(row[f"p_{name}"]) for name in names] == pytest.approx(made.probabilities[k], abs=1e-5)
        assert row["predicted"] == names[made.predicted[k]]
    rows = iter(rows_of(tmp_path / "frame_predictions.csv"))
    for k, clip in enumerate(made.clip_ids):
        for time_s, shares in zip(made.frame_times_s[k], made.frame_probabilities[k], strict=True):
            row = next(rows)
            assert (row["clip_id"], float(row["time_s"])) == (clip, time_s)
            assert (row["label"], row["predicted"]) == (names[made.truth[k]], names[int(shares.argmax())])
            assert [float(row[f"p_{name}"]) for name in names] == pytest.approx(shares, abs=1e-5)
    matrix = [[int(row[name]) for name in names] for row in rows_of(tmp_path / "confusion_matrix.csv")]
    assert matrix == sk.confusion_matrix(made.truth, made.predicted).tolist()


def test_every_line_of_the_report_shows_its_own_figure() -> None:
    found = evaluate(predictions(47), ORIGIN)  # of which macro and weighted averages differ
    text, figures = to_markdown(found), found.figures
    shown = {
        "accuracy (WAR)": figures.accuracy,
        "UAR (mean recall of the classes)": figures.uar,
        "macro F1": figures.macro_f1,
        "macro precision": figures.macro_precision,
        "weighted precision": figures.weighted_precision,
        "weighted F1": figures.weighted_f1,
    }
    for name, value in shown.items():
        assert f"| {name} | {percent(value)} |" in text
    for k, name in enumerate(found.predictions.labels):
        shares = (figures.precision[k], figures.recall[k], figures.f1[k])
        assert f"| {name} | {figures.support[k]} | {' | '.join(map(percent, shares))} |" in text
