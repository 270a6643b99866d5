"""A comparison's files agree with each other, and say what their reader must know."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as sk

from seqfer.evaluation.comparison import Answers, Comparison, compare
from seqfer.evaluation.comparison_report import (
    CLASS_COLUMNS,
    OWN_FILES,
    class_rows,
    names_of,
    to_document,
    to_markdown,
    write_comparison,
)
from seqfer.evaluation.report import WHAT_IT_SAYS
from tests.evaluation.examples import LABELS

ORIGINS = tuple(
    {"folder": f"eval-{name}", "model": {"name": name, "sha256": "0" * 64}, "data": "m.csv", "split": "test"}
    for name in ("bilstm", "hero")
)


def answers(seed: int, subjects: int = 12) -> Answers:
    generator = np.random.default_rng(seed)
    truth = np.arange(120) % 3
    predicted = np.where(generator.random(120) < 0.6, truth, generator.integers(0, 3, 120))
    ids = tuple(f"S{k % subjects}" if subjects else "" for k in range(120))
    return Answers(LABELS, tuple(map(str, range(120))), ids, truth, predicted, ORIGINS[seed])


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare(answers(0), answers(1))


def test_the_files_agree_with_each_other_and_with_scikit_learn(found: Comparison, tmp_path: Path) -> None:
    write_comparison(found, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(OWN_FILES)
    document = json.loads((tmp_path / "comparison.json").read_text())
    assert document == to_document(found)
    assert document["note"] == WHAT_IT_SAYS
    assert document["clips"] == 120
    for model, made in (("a", answers(0)), ("b", answers(1))):
        assert document[model] == made.origin
        assert document["confusion_matrices"][model] == sk.confusion_matrix(made.truth, made.predicted).tolist()
        assert document["figures"]["accuracy"][model] == pytest.approx(
            sk.accuracy_score(made.truth, made.predicted)
        )
        expected = sk.precision_recall_fscore_support(made.truth, made.predicted)
        for k, name in enumerate(LABELS):
            own = document["classes"][name]
            assert list(own[model].values()) == pytest.approx([column[k] for column in expected[:3]])
            assert own["support"] == 40
    accuracy = document["figures"]["accuracy"]
    assert accuracy["difference"] == pytest.approx(accuracy["b"] - accuracy["a"])
    assert accuracy["interval"] == list(found.figures["accuracy"][3:])
    assert document["mcnemar"] == {"only_a": found.only_a, "only_b": found.only_b, "p": found.p}
    assert document["intervals"]["method"] == "paired percentile bootstrap over subjects"
    for name in OWN_FILES[2:]:
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG"
            assert picture.width > 1.5 * picture.height  # side by side


def test_the_classes_stand_side_by_side(found: Comparison) -> None:
    assert list(CLASS_COLUMNS[:4]) == ["label", "clips", "precision A", "precision B"]
    classes = to_document(found)["classes"]
    for row, name in zip(class_rows(found), LABELS, strict=True):
        pairs = [(classes[name][model][figure]) for figure in ("precision", "recall", "f1") for model in "ab"]
        assert row == [name, "40", *(f"{100 * share:.1f} %" for share in pairs)]


def test_the_page_says_what_its_reader_must_know(found: Comparison) -> None:
    text = to_markdown(found)
    assert text.startswith("# bilstm and hero\n")
    for line in (
        WHAT_IT_SAYS,
        "| model | bilstm | hero |",
        "| split | test | test |",
        "| faces | not known | not known |",
        "Both were measured on the same 120 clips with the same labels.",
        "Intervals: paired bootstrap over 12 subjects, 2000 resamples.",
        "| label | clips | precision A | precision B | recall A | recall B | F1 A | F1 B |",
        f"by A alone {found.only_a}, by B alone {found.only_b}; McNemar's exact p = {found.p:.3g}. The test takes",
        "![Precision, recall and F1 of each class](classes.png)",
        "![Counts](matrices.png)",
    ):
        assert line in text
    assert "cannot be trusted" not in text
    assert "too few" not in text
    leaky = replace(found, origins=(ORIGINS[0], {**ORIGINS[1], "leaky": "pictures of one clip"}))
    assert "> **The figures of B cannot be trusted**: pictures of one clip." in to_markdown(leaky)
    few = compare(answers(0, subjects=3), answers(1, subjects=3))
    assert "**3 subjects are too few for an interval**" in to_markdown(few)


@pytest.mark.parametrize(
    ("origins", "names"),
    [
        (ORIGINS, ("bilstm", "hero")),
        ((ORIGINS[0], {**ORIGINS[0], "folder": "runs/b"}), ("bilstm (eval-bilstm)", "bilstm (runs/b)")),
        (({"folder": "runs/a"}, ORIGINS[1]), ("a", "hero")),
        (({"folder": "one/eval"}, {"folder": "two/eval"}), ("eval (one/eval)", "eval (two/eval)")),
        (({}, {}), ("A", "B")),
    ],
)
def test_models_have_names_that_tell_them_apart(
    origins: tuple[dict, dict], names: tuple[str, str], found: Comparison
) -> None:
    assert names_of(replace(found, origins=origins)) == names
