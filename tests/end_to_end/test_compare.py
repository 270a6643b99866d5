"""`seqfer compare` from outside: on the screen, and with a folder for report and pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from seqfer.evaluation.comparison_report import OWN_FILES
from seqfer.evaluation.report import evaluate, write_evaluation
from tests.end_to_end.commands import Run
from tests.evaluation.examples import predictions


@pytest.fixture
def evaluations(tmp_path: Path) -> Path:
    """The folders a and b: two models on the same clips, b's from splits that leak; and c, with another clip."""
    one, other = (
        predictions(subjects=12),
        replace(predictions(subjects=12), probabilities=predictions(seed=1).probabilities),
    )
    third = replace(other, clip_ids=("another", *other.clip_ids[1:]))
    for name, made, leaky in (("a", one, ""), ("b", other, "pictures of one clip"), ("c", third, "")):
        (tmp_path / name).mkdir()
        model = {"name": f"model {name}", "sha256": "0" * 64}
        write_evaluation(
            evaluate(made, {"model": model, "data": "m.csv", "split": "test"}, leaky), tmp_path / name
        )
    return tmp_path


def test_figures_classes_and_matrices_are_on_the_screen(evaluations: Path, run_here: Run) -> None:
    done = run_here("compare", "a", "b", cwd=evaluations)
    assert (done.returncode, done.stderr) == (
        0,
        "note: the figures of B cannot be trusted: pictures of one clip\n",
    )
    lines = done.stdout.splitlines()
    assert lines[:2] == ["A: a, model a", "B: b, model b"]
    head = next(k for k, line in enumerate(lines) if line.split()[:3] == ["label", "clips", "precision"])
    truth = [json.loads((evaluations / name / "metrics.json").read_text())["classes"] for name in "ab"]
    for line, label in zip(lines[head + 1 :], truth[0], strict=False):
        shares = [classes[label][figure] for figure in ("precision", "recall", "f1") for classes in truth]
        assert line.split() == [
            label,
            str(truth[0][label]["support"]),
            *" % ".join(f"{100 * share:.1f}" for share in shares).split(),
            "%",
        ]
    assert "McNemar's exact p = " in done.stdout
    assert "clips, A | B; rows are the truth:" in done.stdout
    assert {path.name for path in evaluations.iterdir()} == {"a", "b", "c"}


def test_a_folder_gets_report_and_pictures_once(evaluations: Path, run_here: Run) -> None:
    command = ("compare", "a", "b", "-o", "out")
    done = run_here(*command, cwd=evaluations)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "-> out"
    assert {path.name for path in (evaluations / "out").iterdir()} == set(OWN_FILES)
    assert "**The figures of B cannot be trusted**" in (evaluations / "out" / "comparison.md").read_text()
    before = (evaluations / "out" / "comparison.json").read_text()
    done = run_here("compare", "b", "a", "-o", "out", cwd=evaluations)
    assert (done.returncode, done.stdout) == (1, "")
    assert "out: exists already; use --overwrite" in done.stderr
    assert (evaluations / "out" / "comparison.json").read_text() == before
    assert run_here("compare", "b", "a", "-o", "out", "--overwrite", cwd=evaluations).returncode == 0
    turned = json.loads((evaluations / "out" / "comparison.json").read_text())
    assert turned["figures"]["accuracy"]["difference"] == -json.loads(before)["figures"]["accuracy"]["difference"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "gone"], "gone/predictions.csv: cannot be read"),
        (["a", "c"], "the two have 2 clips that the other has not, such as another"),
        (["a", "a/report.md"], "report.md/predictions.csv: cannot be read"),
        (["a", "b", "-o", "a/report.md/x"], "cannot be written"),
        (["a", "b", "-o", "a/report.md"], "a/report.md: is a file, not a folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(evaluations: Path, arguments: list[str], message: str, run_here: Run) -> None:
    output = [] if "-o" in arguments else ["-o", "never"]
    done = run_here("compare", *arguments, *output, cwd=evaluations)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not (evaluations / "never").exists()
