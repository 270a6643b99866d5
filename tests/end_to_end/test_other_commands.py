"""The other commands from outside."""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import seqfer as package
from tests.end_to_end.commands import Run, seqfer

ROOT = Path(__file__).parents[2]


def fastest(command: list[str], runs: int = 5) -> float:
    """The shortest of several runs, in seconds: what the command takes when the machine lets it."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("arguments", [["-c", "import seqfer"], ["-m", "seqfer.cli.main", "--help"]])
def test_help_and_import_are_quick(arguments: list[str]) -> None:
    assert fastest([sys.executable, *arguments]) < 0.5


def test_help_lists_the_commands(tmp_path: Path) -> None:
    done = seqfer("--help", cwd=tmp_path)
    assert done.returncode == 0
    for command in ("annotate", "demo", "models", "doctor"):
        assert command in done.stdout
    assert seqfer(cwd=tmp_path).stdout.strip() == done.stdout.strip()
    for option in ("--detector", "--every", "--overlay", "--format", "--device", "--overwrite", "--model"):
        assert option in seqfer("annotate", "--help", cwd=tmp_path).stdout


def test_version(tmp_path: Path) -> None:
    assert seqfer("--version", cwd=tmp_path).stdout == f"seqfer {package.__version__}\n"


def test_demo(tmp_path: Path) -> None:
    results = tmp_path / "seqfer-out" / "seqfer-demo"
    results.mkdir(parents=True)
    for name in ("frames.csv", "../seqfer-demo.mp4"):
        (results / name).write_text("of an earlier run")
    done = seqfer("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "track 1  " in done.stdout
    assert "happy" in done.stdout
    assert "seqfer annotate VIDEO" in done.stdout
    for line in done.stdout.splitlines():
        if line.startswith("  seqfer-out"):
            assert (tmp_path / line.strip()).is_file()
    assert (results / "overlay.mp4").is_file()
    assert len((results / "frames.csv").read_text().splitlines()) > 200


def test_models(tmp_path: Path, run_here: Run) -> None:
    done = run_here("models", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if line.strip().startswith("compact"))
    assert "%" in row
    assert "not measured" not in row


def test_doctor(tmp_path: Path) -> None:
    done = seqfer("doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "nothing is wrong"
    assert done.stderr == ""


def test_unknown_commands_and_options_end_with_two(tmp_path: Path) -> None:
    for arguments in (["anotate"], ["annotate"], ["annotate", "--colour", "x"]):
        done = seqfer(*arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_the_wheel_holds_weights_and_settings(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    wheel = next(tmp_path.glob("*.whl"))
    assert wheel.stat().st_size < 40e6
    with zipfile.ZipFile(wheel) as archive:
        members = set(archive.namelist())
    assert {f"seqfer/models/weights/compact/model.{kind}" for kind in ("json", "safetensors")} <= members
    assert {f"seqfer/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")} <= members
    assert not [name for name in members if name.startswith("tests")]
    assert any(name.endswith("licenses/LICENSE") for name in members)
