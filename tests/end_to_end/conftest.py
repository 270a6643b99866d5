"""The command line inside this process: for tables of many short commands, without an import for each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from seqfer.cli.main import run
from tests.end_to_end.commands import Finished, Run


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """As `seqfer`, but in this process."""

    def command(*arguments: str | Path, cwd: Path) -> Finished:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["seqfer", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        said = capfd.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Finished(sys.argv, code, said.out, said.err)

    return command
