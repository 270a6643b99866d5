from __future__ import annotations

from pathlib import Path

import pytest

from seqfer.cli.papers import _follow
from seqfer.errors import SeqferError
from seqfer.papers.catalogue import PAPERS


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
