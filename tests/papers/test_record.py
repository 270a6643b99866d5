"""What lies in a folder counts as done only if the same commands have made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqfer.errors import OptionError, OutputError
from seqfer.papers.record import RECORD, Record
from seqfer.papers.types import Step


def steps(folder: Path, data: str = "here") -> tuple[Step, Step]:
    made, clean = folder / "manifest.csv", folder / "clean.csv"
    return Step(("manifest", "fer2013", data), made), Step(("audit", str(made), "--write", str(clean)), clean)


def run(folder: Path, *wanted: Step) -> None:
    record = Record(folder)
    for step in wanted:
        if not record.is_done(step):
            record.remember(step, ())
            step.makes.touch()


def test_done_is_what_the_same_commands_have_made(tmp_path: Path) -> None:
    first, second = steps(tmp_path)
    record = Record(tmp_path)
    assert not record.is_done(first)
    record.remember(first, ())
    assert not Record(tmp_path).is_done(first), "a command that was stopped runs again"
    first.makes.touch()
    run(tmp_path, first, second)
    again = Record(tmp_path)
    assert again.is_done(first)
    assert again.is_done(second)


def test_what_stands_on_other_data_is_refused_though_its_own_command_is_the_same(tmp_path: Path) -> None:
    run(tmp_path, *steps(tmp_path, "old data"))
    first, second = steps(tmp_path, "new")
    message = r"was made by seqfer manifest fer2013 'old data'; choose another folder"
    with pytest.raises(OptionError, match=r"manifest\.csv: " + message):
        Record(tmp_path).is_done(first)
    first.makes.unlink()
    run(tmp_path, first)
    record = Record(tmp_path)
    assert record.is_done(first)
    with pytest.raises(OptionError, match=r"clean\.csv: " + message):
        record.is_done(second)


def test_what_nobody_remembers_is_refused(tmp_path: Path) -> None:
    first, _ = steps(tmp_path)
    first.makes.touch()
    with pytest.raises(OptionError, match=r"manifest\.csv: was made by something else"):
        Record(tmp_path).is_done(first)


def test_commands_that_go_on_by_themselves_always_run(tmp_path: Path) -> None:
    step = Step(("train",), tmp_path / "run" / "best", repeat=True)
    record = Record(tmp_path)
    assert not record.is_done(step)
    record.remember(step, ())
    step.makes.mkdir()
    assert not Record(tmp_path).is_done(step)


def test_changes_are_those_that_results_were_made_with(tmp_path: Path) -> None:
    training = Step(("train",), tmp_path / "run" / "best", repeat=True)
    Record(tmp_path).remember(steps(tmp_path)[0], ["epochs=1"])
    assert Record(tmp_path).changes == ["epochs=1"]  # also if nothing comes after it
    record = Record(tmp_path)
    record.remember(training, ["epochs=2"])
    assert Record(tmp_path).changes == ["epochs=1"]  # if the run was begun with others, it will be refused
    record.finish(["epochs=2"])
    assert Record(tmp_path).changes == ["epochs=2"]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"changes": 1, "made": {}}', '{"changes": [], "made": 3}'])
def test_a_damaged_record_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(content)
    with pytest.raises(OutputError, match=r"commands\.json: is damaged"):
        Record(tmp_path)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be written"):
        Record(tmp_path / "file").remember(Step(("manifest",), tmp_path / "file" / "manifest.csv"), ())
