from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seqfer.errors import DatasetError
from seqfer.evaluation.comparison import Answers, compare, read_answers
from seqfer.evaluation.metrics import metrics
from seqfer.evaluation.report import evaluate, write_evaluation
from seqfer.labels import LabelSet
from tests.evaluation.examples import LABELS, predictions
from tests.evaluation.test_report import ORIGIN


def answers(right: list[bool], subjects: int = 0) -> Answers:
    count = len(right)
    truth = np.arange(count) % 2
    return Answers(
        labels=LABELS,
        clip_ids=tuple(str(k) for k in range(count)),
        subject_ids=tuple(f"S{k % subjects}" if subjects else "" for k in range(count)),
        truth=truth,
        predicted=np.where(right, truth, 2),
    )


def test_a_model_against_itself_differs_in_nothing() -> None:
    one = answers([True, False] * 20)
    found = compare(one, one)
    assert found.figures["accuracy"] == (0.5, 0.5, 0.0, 0.0, 0.0)
    assert (found.only_a, found.only_b, found.p) == (0, 0, 1.0)


def test_figures_are_those_of_each_and_differences_are_paired() -> None:
    # B answers what A does, and ten clips more: every draw sees B ahead, though each interval alone is wide.
    a = answers([k < 50 for k in range(100)])
    b = answers([k < 60 for k in range(100)])
    found = compare(a, b)
    for name in ("accuracy", "uar", "macro_f1"):
        expected = [getattr(metrics(matrix), name) for matrix in found.matrices]
        assert found.figures[name][:2] == pytest.approx(expected, abs=1e-12)
    assert found.figures["accuracy"][2] == pytest.approx(0.1)
    assert 0.03 < found.figures["accuracy"][3] < 0.1 < found.figures["accuracy"][4] < 0.17
    assert (found.only_a, found.only_b) == (0, 10)
    assert found.p == pytest.approx(2 / 2**10)


def test_an_expression_that_only_one_of_them_knows_is_no_class_of_the_truth() -> None:
    right = [k % 3 > 0 for k in range(60)]
    a = answers(right)
    other = replace(LABELS, names=(*LABELS.names, "calm"))
    b = replace(a, labels=other, predicted=np.where(right, a.truth, len(other) - 1))
    found = compare(a, b)
    assert {name: values[2:] for name, values in found.figures.items()} == dict.fromkeys(
        found.figures, (0.0, 0.0, 0.0)
    )


def test_the_order_of_clips_does_not_matter() -> None:
    a, b = answers([k % 3 > 0 for k in range(30)]), answers([k % 2 > 0 for k in range(30)])
    turned = Answers(b.labels, b.clip_ids[::-1], b.subject_ids[::-1], b.truth[::-1], b.predicted[::-1])
    one, other = compare(a, b), compare(a, turned)
    assert one.figures == other.figures
    assert one.p == other.p


def test_whole_subjects_are_drawn_where_they_are_known() -> None:
    assert compare(answers([True] * 30, subjects=5), answers([True] * 30, subjects=5)).units == ("subjects", 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clip_ids": tuple("abcdefghij")}, "20 clips that the other has not, such as 0"),
        ({"truth": np.full(10, 1)}, "different labels for clip 0"),
        ({"labels": replace(LABELS, names=("happy", "angry", "sad"))}, "different labels for clip 0"),
    ],
)
def test_other_clips_are_refused(change: dict[str, object], message: str) -> None:
    one = answers([True] * 10)
    with pytest.raises(DatasetError, match=message):
        compare(one, replace(one, **change))  # type: ignore[arg-type]


def test_a_model_that_knows_more_expressions_is_compared_by_the_truth() -> None:
    one = answers([k % 2 > 0 for k in range(10)])  # its wrong answers are sad
    other = LabelSet(("fear", "sad", "happy", "angry"))
    index = np.array([other.index(name) for name in LABELS])
    knows_more = replace(one, labels=other, truth=index[one.truth], predicted=np.where(one.truth == 0, 0, 2))
    found = compare(one, knows_more)
    assert found.labels.names == ("angry", "fear", "happy", "sad")
    assert found.matrices[1].tolist() == [[0, 5, 0, 0], [0, 0, 0, 0], [0, 0, 5, 0], [0, 0, 0, 0]]
    assert (found.only_a, found.only_b) == (0, 0)
    assert found.figures["accuracy"][:2] == (0.5, 0.5)


def test_an_evaluation_is_read_again(tmp_path: Path) -> None:
    made = predictions()
    write_evaluation(evaluate(made, ORIGIN), tmp_path)
    read = read_answers(tmp_path)
    assert read.labels == made.labels
    assert read.clip_ids == made.clip_ids
    assert (read.predicted == made.predicted).all()
    assert (read.truth == made.truth).all()


def test_what_was_measured_is_read_with_the_answers(tmp_path: Path) -> None:
    write_evaluation(evaluate(predictions(), {**ORIGIN, "faces": "none"}, "pictures of one clip"), tmp_path)
    origin = read_answers(tmp_path).origin
    assert origin == {**ORIGIN, "faces": "none", "leaky": "pictures of one clip", "folder": str(tmp_path)}
    one = read_answers(tmp_path)
    assert compare(one, answers_without_record(tmp_path)).origins == (origin, {"folder": str(tmp_path)})


def answers_without_record(folder: Path) -> Answers:
    (folder / "metrics.json").unlink()
    return read_answers(folder)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"model": "compact"}', '{"model": {"name": 3}}'])
def test_a_record_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    write_evaluation(evaluate(predictions(), ORIGIN), tmp_path)
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(DatasetError, match=r"metrics\.json: is no record of `seqfer evaluate`"):
        read_answers(tmp_path)


def test_what_is_no_evaluation_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="give a folder of `seqfer evaluate`"):
        read_answers(tmp_path)
    (tmp_path / "predictions.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="is no table of predictions"):
        read_answers(tmp_path)


def test_subjects_come_and_go_together_for_both() -> None:
    """The second model is right for every other person, so which people there are decides who is ahead."""
    subject, truth = np.arange(400) % 20, np.arange(400) // 20 % 2
    clips = tuple(f"clip {k}" for k in range(400))
    one = Answers(LABELS, clips, tuple(f"S{number}" for number in subject), truth, truth)
    other = replace(one, predicted=np.where(subject % 2, truth, 2))
    _, _, _, low, high = compare(one, other).figures["accuracy"]
    assert high - low > 0.3


def test_a_subject_that_one_evaluation_alone_knows_counts_for_both() -> None:
    known, unknown = answers([k < 50 for k in range(100)], subjects=10), answers([k < 60 for k in range(100)])
    one, other = compare(known, unknown), compare(unknown, known)
    assert one.units == other.units == ("subjects", 10)
    low, high = one.figures["accuracy"][3:]
    assert other.figures["accuracy"][3:] == pytest.approx((-high, -low))


def test_different_subjects_for_one_clip_are_refused() -> None:
    one = answers([True] * 4, subjects=2)
    other = replace(one, subject_ids=("S0", "S1", "S1", "S1"))
    with pytest.raises(DatasetError, match="different subjects for clip 2: S0, S1"):
        compare(one, other)
