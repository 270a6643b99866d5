"""What lies in a folder counts as done only if the same command has made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqfer.errors import OptionError, OutputError
from seqfer.papers.record import COMMANDS, is_done, remember
from seqfer.papers.types import Step


def test_done_is_what_the_same_command_has_made(tmp_path: Path) -> None:
    step = Step(("manifest", "fer2013", "here"), tmp_path / "manifest.csv")
    assert not is_done(step, tmp_path)
    remember(step, tmp_path)
    assert not is_done(step, tmp_path), "a command that was stopped runs again"
    step.makes.touch()
    assert is_done(step, tmp_path)
    other = Step(("audit", "manifest.csv"), tmp_path / "clean.csv")
    remember(other, tmp_path)
    assert is_done(step, tmp_path), "other commands do not change that"


def test_what_another_command_has_made_is_refused(tmp_path: Path) -> None:
    remember(Step(("manifest", "fer2013", "old data"), tmp_path / "manifest.csv"), tmp_path)
    step = Step(("manifest", "fer2013", "new"), tmp_path / "manifest.csv")
    step.makes.touch()
    with pytest.raises(OptionError, match=r"was made by seqfer manifest fer2013 'old data'; delete it, or choose"):
        is_done(step, tmp_path)


def test_what_nobody_remembers_is_refused(tmp_path: Path) -> None:
    step = Step(("manifest",), tmp_path / "manifest.csv")
    step.makes.touch()
    with pytest.raises(OptionError, match=r"manifest\.csv: was made by something else"):
        is_done(step, tmp_path)


def test_commands_that_go_on_by_themselves_always_run(tmp_path: Path) -> None:
    step = Step(("train",), tmp_path / "best", repeat=True)
    step.makes.mkdir()
    assert not is_done(step, tmp_path)


def test_a_damaged_record_is_one_line(tmp_path: Path) -> None:
    (tmp_path / COMMANDS).write_text("{")
    step = Step(("manifest",), tmp_path / "manifest.csv")
    step.makes.touch()
    with pytest.raises(OutputError, match=r"commands\.json: cannot be read"):
        is_done(step, tmp_path)
