from __future__ import annotations

from pathlib import Path

import pytest

from seqfer.cli.papers import _follow
from seqfer.errors import SeqferError
from seqfer.papers.catalogue import PAPERS
from seqfer.papers.types import Step


class Ended:
    """Stands for the command line: every command ends with a code."""

    def __init__(self, code: int) -> None:
        self._code = code

    def main(self, arguments: list[str], standalone_mode: bool) -> int:
        assert not standalone_mode
        return self._code


@pytest.mark.parametrize(("code", "error"), [(130, KeyboardInterrupt), (1, SeqferError)])
def test_an_interrupt_ends_all_protocols_and_a_failure_one(
    tmp_path: Path, code: int, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        _follow(PAPERS["p2"].protocols[0], tmp_path, tmp_path / "out", (), Ended(code))


@pytest.mark.parametrize(("fails", "whole"), [((), True), (("audit", "evaluate"), False)])
def test_what_cannot_be_read_is_left_out_and_the_protocol_goes_on(
    tmp_path: Path, fails: tuple[str, ...], whole: bool
) -> None:
    """Audit and evaluate fail where a clip cannot be read, and write what is left."""
    protocol = PAPERS["p2"].protocol("honest")
    writing = Writing(protocol.steps(tmp_path, tmp_path / "out", ()), fails)
    assert _follow(protocol, tmp_path, tmp_path / "out", (), writing) is whole
    assert writing.ran == ["manifest", "audit", "train", "evaluate"]


def test_a_training_that_fails_ends_its_protocol_whatever_it_has_written(tmp_path: Path) -> None:
    protocol = PAPERS["p2"].protocol("honest")
    writing = Writing(protocol.steps(tmp_path, tmp_path / "out", ()), ("train",))
    with pytest.raises(SeqferError, match="seqfer train has failed"):
        _follow(protocol, tmp_path, tmp_path / "out", (), writing)
    assert writing.ran == ["manifest", "audit", "train"]


class Writing:
    """Stands for the command line: every command writes what it makes, and some fail."""

    def __init__(self, steps: list[Step], fails: tuple[str, ...]) -> None:
        self._makes = {step.arguments: step.makes for step in steps}
        self._fails = fails
        self.ran: list[str] = []

    def main(self, arguments: list[str], standalone_mode: bool) -> int:
        assert not standalone_mode
        made = self._makes[tuple(arguments)]
        made.parent.mkdir(parents=True, exist_ok=True)
        made.touch()
        self.ran.append(arguments[0])
        return int(arguments[0] in self._fails)
