"""`seqfer sweep` from outside: a grid of runs, killed and gone on with, failures among them, bad grids."""

from __future__ import annotations

import csv
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqfer.models.checkpoint import load_checkpoint
from tests.end_to_end.commands import Run
from tests.end_to_end.test_training import epochs_done, manifest, small_set

GRID = ("--grid", "batch_size=8", "--grid", "optimizer.name=sgd,adam,adamw")
CELLS = [f"batch_size=8,optimizer.name={name}" for name in ("sgd", "adam", "adamw")]


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_set(tmp_path_factory.mktemp("stills"))
    manifest(folder, "subject:34/33/33")
    return folder


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_grid_killed_in_the_middle_ends_with_the_same_table(stills: Path, tmp_path: Path, run_here: Run) -> None:
    command = ("sweep", "c.yaml", "--data", "m.csv", *GRID, "--set", "epochs=4", "--device", "cpu")
    done = run_here(*command, "-o", tmp_path / "whole", cwd=stills)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"1/3 {CELLS[0]}: epoch 1/4  loss " in done.stdout
    rows = rows_of(tmp_path / "whole")
    assert [row["cell"] for row in rows] == CELLS
    assert {row["clips"] for row in rows} == {"12"}  # of the validation split
    for row in rows:
        record = load_checkpoint(tmp_path / "whole" / row["cell"] / "best").provenance
        assert record.metrics["validation"]["accuracy"] == float(row["accuracy"])
        assert record.training["config"]["optimizer"]["name"] == row["optimizer.name"]
    table = [line.split() for line in done.stdout.splitlines() if line.strip().startswith(("sgd", "adam"))]
    assert [line[0] for line in table] == ["sgd", "adam", "adamw"]
    assert f"{100 * float(rows[0]['accuracy']):.1f}" == table[0][1]
    page = (tmp_path / "whole" / "table.md").read_text()
    assert "on the validation split of m.csv, 12 clips" in page

    parts = tmp_path / "parts"
    line = [sys.executable, "-m", "seqfer.cli.main", *command, "-o", str(parts)]
    process = subprocess.Popen(line, cwd=stills, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and epochs_done(parts / CELLS[1]) < 2:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert epochs_done(parts / CELLS[0]) == 4
    assert not (parts / CELLS[2]).exists()
    assert [row["accuracy"] != "" for row in rows_of(parts)] == [True, False, False]  # the table so far
    assert "exists already; use --resume" in run_here(*command, "-o", parts, cwd=stills).stderr
    done = run_here(*command, "-o", parts, "--resume", cwd=stills)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"1/3 {CELLS[0]}: done already" in done.stdout
    assert f"1/3 {CELLS[0]}: epoch" not in done.stdout
    assert f"2/3 {CELLS[1]}: epoch 1/4" not in done.stdout
    for mine, theirs in zip(rows_of(parts), rows, strict=True):
        assert {**mine, "seconds": ""} == {**theirs, "seconds": ""}
    shas = [
        [load_checkpoint(place / cell / "best").sha256 for cell in CELLS] for place in (tmp_path / "whole", parts)
    ]
    assert shas[0] == shas[1]
    assert not [path for path in parts.rglob("*") if ".partial" in path.name]

    # The command for the test split is one that can be given as it stands.
    advice = next(line for line in done.stdout.splitlines() if line.startswith("  seqfer evaluate "))
    assert "--split test" in advice
    measured = run_here(*shlex.split(advice)[1:], cwd=stills)
    assert measured.returncode == 0
    assert (tmp_path / "parts-test" / "report.md").is_file()


def test_a_run_that_fails_leaves_the_others_alone(stills: Path, tmp_path: Path, run_here: Run) -> None:
    command = ("sweep", "c.yaml", "--data", "m.csv", "-o", tmp_path / "out", "--set", "optimizer.name=sgd")
    done = run_here(*command, "--grid", "optimizer.rate=1.0e+30,0.01", cwd=stills)
    assert done.returncode == 1
    place = tmp_path / "out" / "optimizer.rate=1e+30"
    assert done.stderr.startswith(f"error: {place}: the loss of step ")
    assert len(done.stderr.splitlines()) == 1
    assert "1 of 2 cells failed: optimizer.rate=1e+30\n" in done.stdout
    assert "best cell by UAR: optimizer.rate=0.01" in done.stdout
    failed, other = rows_of(tmp_path / "out")
    assert failed["failed"].startswith(f"{place}: the loss of step ")
    assert (failed["accuracy"], other["failed"]) == ("", "")
    assert 0 <= float(other["accuracy"]) <= 1
    assert f"- failed: {place}: the loss" in (tmp_path / "out" / "table.md").read_text()

    # Another grid takes over what is there of it.
    done = run_here(*command, "--grid", "optimizer.rate=0.01,0.02", "--resume", cwd=stills)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1/2 optimizer.rate=0.01: done already" in done.stdout
    assert [row["optimizer.rate"] for row in rows_of(tmp_path / "out")] == ["0.01", "0.02"]

    # A cell that cannot be gone on with does not keep a later one from being trained.
    (tmp_path / "out" / "optimizer.rate=0.01" / "state.pt").write_bytes(b"cut off")
    done = run_here(*command, "--grid", "optimizer.rate=0.01,0.04", "--resume", cwd=stills)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "state.pt" in done.stderr
    damaged, other = rows_of(tmp_path / "out")
    assert "state.pt" in damaged["failed"]
    assert 0 <= float(other["accuracy"]) <= 1


def test_a_sweep_from_a_file_on_leaky_splits_says_so(stills: Path, tmp_path: Path, run_here: Run) -> None:
    shutil.copytree(stills / "set", tmp_path / "set")
    shutil.copy(stills / "c.yaml", tmp_path)
    (tmp_path / "m.csv").write_text("# leaky: pictures of one person\n" + (stills / "m.csv").read_text())
    (tmp_path / "s.sweep.yaml").write_text(
        "config: c.yaml\nset: {epochs: 1, seed: 5}\ngrid: {batch_size: [4, 8]}\n"
    )
    done = run_here("sweep", "s.sweep.yaml", "--data", "m.csv", "-o", "out", "--set", "seed=6", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == "note: these figures are too good: pictures of one person\n"
    assert "The figures are too good: pictures of one person." in (tmp_path / "out" / "table.md").read_text()
    config = load_checkpoint(tmp_path / "out" / "batch_size=8" / "last").provenance.training["config"]
    assert (config["seed"], config["epochs"]) == (6, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "optimiser.rate=1,2"], "unknown setting 'optimiser'; did you mean 'optimizer'?"),
        (["--grid", "epochs="], "the grid gives epochs no value"),
        ([], "there is nothing to vary; give --grid key=value,value"),
        (["--grid", "epochs=1,2", "--set", "epochs=3"], "epochs is set, and epochs in the grid varies it"),
        (["--grid", "epochs=1,1"], "the grid holds the same cell twice: epochs=1 and epochs=1"),
        (["--grid", "model.size=16,1"], "grid cell model.size=1: c.yaml: input size must lie in"),
        (["--grid", "model.size=16,24", "--cache", "never"], "the grid's cells read crops of several kinds"),
        (["--grid", "seed=0,1", "--data", "gone.csv"], "gone.csv: cannot be read"),
        (["--grid", "seed=0,1", "-o", "set"], "set: exists already"),
        (["--grid", "seed=0,1", "-o", "set", "--resume"], "set: holds something else than a sweep"),
        (["--grid", "seed=0,1", "-o", "m.csv"], "m.csv: is a file, not a folder"),
        (["--grid", "seed=0,1", "--device", "tpu"], "unknown device 'tpu'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(stills: Path, arguments: list[str], message: str, run_here: Run) -> None:
    known = [] if "--data" in arguments else ["--data", "m.csv"]
    output = [] if "-o" in arguments else ["-o", "never"]
    done = run_here("sweep", "c.yaml", *known, *output, *arguments, cwd=stills)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not (stills / "never").exists()
