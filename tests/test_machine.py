from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqfer import machine
from seqfer.machine import quiet_stderr, usable_cores


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "250000 100000\n"}, 3),  # two and a half cores keep three threads busy
        ({"cpu.max": "1000 100000\n"}, 1),
        ({"cpu.max": "9900000 100000\n"}, 8),
        ({"cpu.max": "damaged\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    ],
)
def test_containers_share_of_the_cores_counts(
    files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(machine, "CONTROL_GROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert usable_cores() == cores


def test_stderr_is_quiet_for_a_while(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before ")
    with quiet_stderr():
        os.write(2, b"meanwhile ")
        with quiet_stderr():
            os.write(2, b"deeper ")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows closes no descriptor that way")
def test_without_stderr_nothing_is_turned_away() -> None:
    code = "import os; from seqfer.machine import quiet_stderr; os.close(2)\nwith quiet_stderr(): print('in')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "in\n"
