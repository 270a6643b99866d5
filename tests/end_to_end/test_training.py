"""`seqfer train`, `crossval` and what they lead to, from outside."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqfer.datasets.manifest import read_manifest
from seqfer.models.checkpoint import load_checkpoint
from tests.end_to_end.commands import Run, seqfer
from tests.moving_faces import write_liris_set, write_order_set

SMALL = """
model: {encoder_settings: {stem_width: 8, widths: [8, 16], blocks: [1, 1]}, head_settings: {width: 8}, size: 16}
data: {faces: none}
optimizer: {rate: 0.01}
schedule: {name: one_cycle}
batch_size: 8
epochs: 2
"""


def small_set(folder: Path, subjects: int = 6) -> Path:
    """Stills of two expressions, light or dark, three of each subject, and settings for them."""
    rng = np.random.default_rng(0)
    for subject in range(subjects):
        for number in range(3):
            for expression, light in (("happy", 200), ("sad", 60)):
                (folder / "set" / expression).mkdir(parents=True, exist_ok=True)
                picture = rng.normal(128, 30, (16, 16))
                picture[:8] += light - 128
                path = folder / "set" / expression / f"S{subject}_{number}.png"
                Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
    (folder / "c.yaml").write_text(SMALL)
    return folder


def manifest(folder: Path, split: str, command: Run = seqfer) -> None:
    options = ("--subject", "(?P<subject>S[0-9]+)_", "--split", split)
    done = command("manifest", "folder", "set", "-o", "m.csv", *options, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_set(tmp_path_factory.mktemp("stills"))
    manifest(folder, "subject:34/33/33")
    done = seqfer("prepare", "m.csv", "-o", "cache", "--faces", "none", "--size", "16", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_order_matters(tmp_path: Path, demo_clip: Path, run_here: Run) -> None:
    write_order_set(tmp_path / "set", demo_clip, subjects=12)
    manifest(tmp_path, "subject:50/10/40", run_here)
    (tmp_path / "c.yaml").write_text(
        "model: {encoder_settings: {stem_width: 16, widths: [16, 32, 64], blocks: [1, 1, 1]},\n"
        "        head_settings: {width: 32}, size: 32, frame_rate: 12.5}\n"
        "data: {faces: none}\n"
        "augmentation: {rotation_deg: 0, shift: 0.02, zoom: 0, stretch: 0, gamma: 0.2, shade: 0, blur: 0,\n"
        "               noise: 0, occlusion: 0}\n"
        "optimizer: {name: muon, rate: 0.01}\n"
        "schedule: {name: one_cycle}\n"
        "epochs: 18\nbatch_size: 12\nselect: last\n"
    )
    accuracy = {}
    # The mean of frames sees the same in an onset as in its offset, however long it learns.
    alone = ("--set", "model.head=mean", "--set", "model.head_settings={}", "--set", "epochs=4")
    for head, changes in (("bilstm", ()), ("mean", alone)):
        done = run_here("train", "c.yaml", "--data", "m.csv", "-o", head, *changes, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        command = ("evaluate", f"{head}/best", "--data", "m.csv", "--faces", "none", "-o", f"{head}-eval")
        assert run_here(*command, cwd=tmp_path).returncode == 0
        figures = json.loads((tmp_path / f"{head}-eval" / "metrics.json").read_text())
        assert figures["clips"] >= 24
        assert figures["intervals"]["units"] >= 4  # subjects, of whom the model has seen none
        accuracy[head] = figures["accuracy"]
    assert accuracy["bilstm"] >= 0.9
    assert 0.35 <= accuracy["mean"] <= 0.65


def test_liris_cse_from_videos_to_a_confusion_matrix(tmp_path: Path, demo_clip: Path, run_here: Run) -> None:
    write_liris_set(tmp_path / "LIRIS-CSE", demo_clip, subjects=3)
    done = run_here(
        "manifest", "liris-cse", "LIRIS-CSE", "-o", "m.csv", "--split", "subject:34/33/33", cwd=tmp_path
    )
    assert done.returncode == 0
    assert [line.split(":")[1].strip().rpartition("/")[2] for line in done.stderr.splitlines()] == [
        "S2_happy_surprise_1.mp4",
        "S8_confusing.mp4",
    ]
    changes = [
        "start.weights=scratch",
        "start.stage_rates=[1]",
        "epochs=1",
        "schedule.warmup=0.5",
        "batch_size=4",
        "model.frame_rate=12.5",
    ]
    done = seqfer(
        "train",
        "resnet50-bilstm",
        *(part for change in changes for part in ("--set", change)),
        *("--data", "m.csv", "-o", "run"),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    architecture = load_checkpoint(tmp_path / "run" / "best").model.architecture
    assert (architecture.encoder, architecture.head, architecture.preprocess.size) == ("resnet50", "bilstm", 112)
    assert architecture.labels.names == ("happy", "sad", "surprise")
    done = run_here("evaluate", "run/best", "--data", "m.csv", "--split", "test", "-o", "eval", cwd=tmp_path)
    assert done.returncode == 0
    figures = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert np.array(figures["confusion_matrix"]).shape == (3, 3)
    assert np.array(figures["confusion_matrix"]).sum() == figures["clips"] == 6
    assert (tmp_path / "eval" / "confusion_matrix.png").stat().st_size > 10_000

    # The model works in `seqfer annotate` with no further step.
    shutil.copy(next((tmp_path / "LIRIS-CSE" / "videos_208").glob("S1_happy_1.mp4")), tmp_path / "one.mp4")
    done = seqfer("annotate", "one.mp4", "--model", "run/best", "-o", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    header = (tmp_path / "out" / "one" / "frames.csv").read_text().splitlines()[0]
    assert header.endswith("p_happy,p_sad,p_surprise")


def test_stills_from_a_folder_to_a_report(stills: Path, tmp_path: Path, run_here: Run) -> None:
    command = ("train", "c.yaml", "--data", "m.csv", "-o", tmp_path / "run", "--set", "epochs=6")
    done = run_here(*command, cwd=stills)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 7
    assert lines[0].startswith("epoch 1/6  loss ")
    assert lines[-1].startswith("best epoch ")
    assert lines[-1].endswith(f"% of 12 validation clips -> {tmp_path / 'run' / 'best'}")
    options = ("--data", "m.csv", "--faces", "none", "-o", tmp_path / "e")
    done = run_here("evaluate", tmp_path / "run/best", *options, cwd=stills)
    assert done.returncode == 0
    assert json.loads((tmp_path / "e" / "metrics.json").read_text())["accuracy"] > 0.8  # chance is 0.5
    assert "cannot be trusted" not in done.stderr
    for split in ("train", "all"):
        done = run_here("evaluate", tmp_path / "run/best", *options, "--split", split, "--overwrite", cwd=stills)
        assert "cannot be trusted: the model has learnt from some of the clips" in done.stderr
        assert "the model has learnt from some of the clips" in (tmp_path / "e" / "report.md").read_text()

    done = run_here(*command, cwd=stills)
    assert (done.returncode, done.stdout) == (1, "")
    assert "exists already; use --resume to go on with it" in done.stderr
    done = run_here(*command, "--resume", cwd=stills)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].endswith("; nothing is left to do")


def test_a_cache_alone_is_enough(stills: Path, tmp_path: Path, run_here: Run) -> None:
    for name in ("m.csv", "c.yaml"):
        shutil.copy(stills / name, tmp_path / name)
    shutil.copytree(stills / "cache", tmp_path / "cache")
    done = run_here("train", "c.yaml", "--data", "m.csv", "--cache", "cache", "-o", "run", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "set").exists()


def test_killed_again_and_again_it_ends_with_the_same(stills: Path, tmp_path: Path) -> None:
    arguments = ["train", "c.yaml", "--data", "m.csv", "--cache", "cache", "--device", "cpu", "--set", "epochs=16"]
    # Sums of several threads come out the same, too; passive ones leave the cores to whatever else runs here.
    threads = {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
    done = seqfer(*arguments, "-o", tmp_path / "whole", cwd=stills, variables=threads)
    assert (done.returncode, done.stderr) == (0, "")
    run = tmp_path / "parts"
    command = [sys.executable, "-m", "seqfer.cli.main", *arguments, "-o", str(run), "--resume"]
    rng = random.Random(1)
    stood: list[int] = []
    for kill in range(2):
        process = subprocess.Popen(
            command, cwd=stills, env={**os.environ, **threads}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        # The first at an epoch's end, where files are being written; the other a little later.
        while process.poll() is None and epochs_done(run) < 2 + 6 * kill:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05) * bool(kill))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        stood.append(epochs_done(run))
    assert 0 < stood[0] < stood[1] < 16
    done = seqfer(*arguments, "-o", run, "--resume", cwd=stills, variables=threads)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("best", "last"):
        hashes = [load_checkpoint(folder / name).sha256 for folder in (tmp_path / "whole", run)]
        assert hashes[0] == hashes[1]
    assert not [path for path in run.rglob("*") if ".partial" in path.name]


def epochs_done(run: Path) -> int:
    try:
        return len((run / "metrics.jsonl").read_text().splitlines())
    except FileNotFoundError:
        return 0


def test_a_full_disk_is_one_line_and_leaves_what_was_whole(stills: Path, tmp_path: Path, run_here: Run) -> None:
    """No file may grow beyond a limit: the operating system ends a write in the middle, as on a full disk."""
    arguments = ["train", "c.yaml", "--data", "m.csv", "--cache", "cache", "-o", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-m", "seqfer.cli.main", *arguments],
        cwd=stills,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000)),
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {tmp_path / 'run'}: cannot be used (File too large); make room and go on with --resume\n"
    )
    assert not [path for path in (tmp_path / "run").rglob("*") if path.stat().st_size == 8_000]
    done = run_here(*arguments, "--resume", cwd=stills)
    assert (done.returncode, done.stderr) == (0, "")


def test_cross_validation_counts_every_clip_once(tmp_path: Path, run_here: Run) -> None:
    small_set(tmp_path)
    manifest(tmp_path, "kfold:3", run_here)
    command = ("crossval", "c.yaml", "--data", "m.csv", "-o", "cv", "--set", "epochs=3")
    done = run_here(*command, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == "note: 6 subjects are too few for these intervals to be trusted\n"
    assert "fold 2: epoch 3/3" in done.stdout
    lines = (tmp_path / "cv" / "evaluation" / "predictions.csv").read_text().splitlines()[1:]
    ids = [line.split(",")[0] for line in lines]
    assert sorted(ids) == sorted(record.clip_id for record in read_manifest(tmp_path / "m.csv").records)
    figures = json.loads((tmp_path / "cv" / "evaluation" / "metrics.json").read_text())
    matrix = np.array(figures["confusion_matrix"])
    assert figures["accuracy"] == matrix.trace() / matrix.sum() == matrix.trace() / 36

    # As after a kill: one fold is not there yet, another lacks its last epochs.
    shutil.rmtree(tmp_path / "cv" / "fold-2")
    shutil.rmtree(tmp_path / "cv" / "evaluation")
    assert "exists already; use --resume" in run_here(*command, cwd=tmp_path).stderr
    done = run_here(*command, "--resume", cwd=tmp_path)
    assert done.returncode == 0
    assert "fold 1: epoch" not in done.stdout
    assert json.loads((tmp_path / "cv" / "evaluation" / "metrics.json").read_text()) == figures


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--set", "optimiser.rate=1"],
            "c.yaml with --set: unknown setting 'optimiser'; did you mean 'optimizer'?",
        ),
        (["--set", "rate=1"], "c.yaml with --set: unknown setting 'rate'; did you mean 'optimizer.rate'?"),
        (["--set", "epochs=many"], "c.yaml with --set: epochs: input should be a valid integer"),
        (["--set", "epochs"], "--set takes key=value"),
        (
            ["--set", "model.encoder=alexnet"],
            "c.yaml with --set: unknown encoder 'alexnet'; known: compact, vgg, resnet18",
        ),
        (["--set", "model.labels=[happy, fear]"], "is labelled 'sad', which is not in model.labels (happy, fear)"),
        (["--set", "model.size=24", "--cache", "cache"], "cache: its crops are 16 x 16 x 1"),
        (["--set", "start.weights=nowhere"], "unknown model 'nowhere'"),
        (["--set", "start.weights=compact"], "the model 'compact' has encoder_settings"),
        (["--set", "start.weights=imagenet"], "there are no ImageNet weights for encoder 'compact'"),
        (
            ["--set", "start.stage_rates=[1, 0]"],
            "start.stage_rates has 2 entries, but encoder 'compact' has 3 stages",
        ),
        (["--data", "gone.csv"], "gone.csv: cannot be read"),
        (["--data", "untold.csv"], "there is no training clip; the manifest needs the splits"),
        (["--data", "one-sided.csv"], "there is no validation clip; the manifest needs the splits"),
        (["--data", "shared.csv"], "shared.csv: subject 'A' is in more than one part (train, validation)"),
        (["--data", "unlearnt.csv"], "no training clip shows fear"),
        (["--data", "other.csv", "--cache", "cache"], "cache: does not match other.csv: clip 'x' is not in it"),
        (["--cache", "damaged"], "damaged: is damaged"),
        (["-o", "set"], "set: exists already"),
        (["-o", "set", "--resume"], "set: holds something else than a training run"),
        (["-o", "m.csv"], "m.csv: is a file, not a folder"),
        (["--device", "tpu"], "unknown device 'tpu'; known: auto, cpu"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(stills: Path, arguments: list[str], message: str, run_here: Run) -> None:
    bad_manifests(stills)
    known = [] if "--data" in arguments else ["--data", "m.csv"]
    output = [] if "-o" in arguments else ["-o", "never"]
    done = run_here("train", "c.yaml", *known, *output, *arguments, cwd=stills)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not (stills / "never").exists()


def bad_manifests(folder: Path) -> None:
    head = "clip_id,path,label,subject_id,split\n"
    happy, sad = "set/happy/S0_0.png", "set/sad/S0_0.png"
    (folder / "untold.csv").write_text(head + f"a,{happy},happy,A,\nb,{sad},sad,B,\n")
    (folder / "one-sided.csv").write_text(head + f"a,{happy},happy,A,train\nb,{sad},sad,B,train\n")
    (folder / "shared.csv").write_text(head + f"a,{happy},happy,A,train\nb,{sad},sad,A,validation\n")
    (folder / "other.csv").write_text(
        head + f"x,{happy},happy,A,train\ny,{sad},sad,A,train\nz,{happy},happy,B,validation\n"
    )
    (folder / "unlearnt.csv").write_text(
        head + f"a,{happy},happy,A,train\nb,{sad},sad,A,train\nc,{happy},happy,B,validation\nd,{sad},fear,C,test\n"
    )
    shutil.rmtree(folder / "damaged", ignore_errors=True)
    shutil.copytree(folder / "cache", folder / "damaged")
    (folder / "damaged" / "cache.json").write_text("{")


def test_what_is_broken_in_the_middle_is_listed_and_the_rest_learnt(tmp_path: Path, run_here: Run) -> None:
    small_set(tmp_path)
    manifest(tmp_path, "subject:34/33/33", run_here)
    first = next(record for record in read_manifest(tmp_path / "m.csv").records if record.split == "train")
    first.path.write_bytes(first.path.read_bytes()[:100])
    done = run_here("train", "c.yaml", "--data", "m.csv", "-o", "run", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith(f"note: {first.clip_id}: ")
    assert len(done.stderr.splitlines()) == 1
    assert load_checkpoint(tmp_path / "run/best").provenance.training["data"]["left_out"] == 1
