"""`seqfer manifest`, `seqfer audit` and `seqfer prepare` from outside."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from seqfer.datasets.manifest import read_manifest, write_manifest
from seqfer.datasets.packed import read_packed
from seqfer.datasets.types import Manifest
from seqfer.demo import portrait_path
from seqfer.evaluation.calibration import log_loss, reliability
from seqfer.evaluation.predictions import predict
from seqfer.evaluation.report import OWN_FILES
from seqfer.models.bundled import model_folder
from seqfer.models.checkpoint import load_checkpoint
from seqfer.models.inference import Predictor
from seqfer.preprocess import Preprocess
from tests.end_to_end.commands import Run, seqfer
from tests.media import write_clip

SHORT = [k / 25 for k in range(5)]


def data_set(root: Path) -> Path:
    """A small set in LIRIS-CSE's layout, with the names that the real one has."""
    folder = root / "videos_208"
    folder.mkdir(parents=True)
    for subject in range(1, 7):
        for expression in ("happy", "sad"):
            write_clip(folder / f"S{subject}_{expression}_1.mp4", SHORT)
    for name in ("S8_confusing.mp4", "S2_happy_surprise_1.mp4"):
        write_clip(folder / name, SHORT)
    (folder / "S7_happy_1.mp4").write_text("no video")
    return root


def test_from_a_folder_to_an_audit(tmp_path: Path) -> None:
    data_set(tmp_path / "LIRIS")
    done = seqfer("manifest", "liris-cse", "LIRIS", "-o", "m.csv", "--split", "subject:50/50", cwd=tmp_path)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 3
    for name in ("S8_confusing", "S2_happy_surprise_1", "S7_happy_1"):
        assert f"{name}.mp4: is not" in done.stderr
    assert "12 clips -> m.csv" in done.stdout
    manifest = read_manifest(tmp_path / "m.csv")
    assert len(manifest.of_split("train")) == len(manifest.of_split("test")) == 6

    # The clips are all one film: everything is a copy of everything.
    done = seqfer("audit", "m.csv", "--write", "clean.csv", "--copies", "copies.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "66 pairs of clips -> copies.csv" in done.stdout  # 12 clips, each with each
    header, first, *_ = (tmp_path / "copies.csv").read_text().splitlines()
    assert header == "clip_id,part,label,copy_of,part_of_that,label_of_that,likeness"
    assert first.endswith(",exact")
    assert "this manifest leaks" in done.stdout
    assert "6 training and 0 validation clips dropped, 6 clips kept -> clean.csv" in done.stdout


def test_class_folders_with_official_splits_and_none(tmp_path: Path, run_here: Run) -> None:
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for expression in ("happy", "sad"):
            folder = tmp_path / "set" / split / expression
            folder.mkdir(parents=True)
            Image.fromarray(rng.integers(0, 256, (48, 48), np.uint8)).save(folder / "1.png")
    done = run_here("manifest", "folder", "set", "-o", "m.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [record.split for record in read_manifest(tmp_path / "m.csv").records] == ["test"] * 2 + ["train"] * 2
    done = run_here("audit", "m.csv", cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "no leak found"

    (tmp_path / "set" / "test" / "sad" / "1.png").write_text("no picture")
    done = run_here("audit", "m.csv", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("note: test/sad/1.png: ")
    assert done.stdout.splitlines()[0] == "labels: happy 2, sad 2"
    assert done.stdout.splitlines()[-2:] == ["unreadable: 1", "no leak found among the others"]
    done = run_here("prepare", "m.csv", "-o", "cache", "--faces", "none", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == "3 of 4 clips, 3 frames -> cache\n"
    assert done.stderr.startswith("note: test/sad/1.png: ")
    assert len(done.stderr.splitlines()) == 1

    (tmp_path / "mine.yaml").write_text("model: {size: 32, grey: rgb2gray}\ndata: {faces: none}\n")
    done = run_here("prepare", "m.csv", "-o", "for-mine", "--for", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 0
    packed = read_packed(tmp_path / "for-mine")
    assert (packed.preprocess, packed.faces) == (Preprocess(32, grey="rgb2gray"), "none")

    done = run_here("manifest", "folder", "set/train", "-o", "none.csv", cwd=tmp_path)
    assert (
        done.stderr
        == "note: no split was made: evaluate takes --split all; to train, make one, as --split subject:70/15/15\n"
    )


CALM = "clip_id,path,label,split\na,a.png,calm,test\nb,b.png,happy,test\nc,c.png,calm,test\nd,d.png,bored,train\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["manifest", "liris", "set"], "unknown kind of data set 'liris'; known: liris-cse"),
        (["manifest", "folder", "nowhere"], "nowhere: no such file or folder"),
        (
            ["manifest", "folder", "set", "--split", "random:80/20"],
            "unknown split 'random:80/20'; known: official",
        ),
        (["manifest", "folder", "set", "--split", "kfold:2"], "has no subject_id"),
        (["manifest", "folder", "set", "--subject", "("], "no regular expression"),
        (["prepare", "gone.csv", "-o", "cache"], "gone.csv: cannot be read"),
        (["prepare", "good.csv", "-o", "cache", "--faces", "dlib"], "unknown faces 'dlib'; known: mediapipe"),
        (["prepare", "good.csv", "-o", "cache", "--size", "4"], "input size must lie in [16, 1024]"),
        (
            ["prepare", "good.csv", "-o", "cache", "--for", "compat"],
            "unknown settings 'compat'; known: accurate, compact",
        ),
        (
            ["prepare", "good.csv", "-o", "cache", "--for", "compact", "--picture-rate", "5"],
            "--for compact says what crops are like; leave out --picture-rate",
        ),
        (["prepare", "good.csv", "-o", "set"], "set: holds something else than a cache"),
        (["compare", "set", "set"], "predictions.csv: cannot be read"),
        (
            ["evaluate", "compact", "--data", "good.csv", "-o", "eval", "--split", "dev"],
            "unknown split 'dev'; known",
        ),
        (
            ["evaluate", "compact", "--data", "calm.csv", "-o", "eval"],
            "calm.csv: the label 'calm', of 2 clips, is none of the model's (angry, disgust, fear",
        ),
        (
            ["evaluate", "compat", "--data", "good.csv", "-o", "eval"],
            "unknown model 'compat'; did you mean 'compact'",
        ),
        (["audit", "gone.csv"], "gone.csv: cannot be read"),
        (["audit", "bad.csv"], "bad.csv: lacks the column 'clip_id'"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: list[str], message: str, run_here: Run) -> None:
    for expression in ("happy", "sad"):
        (tmp_path / "set" / expression).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "set" / expression / "a.png")
    (tmp_path / "good.csv").write_text("clip_id,path,label\na,set/happy/a.png,happy\nb,set/sad/a.png,sad\n")
    (tmp_path / "calm.csv").write_text(CALM)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    output = ["-o", "m.csv"] if arguments[0] == "manifest" else []
    done = run_here(*arguments, *output, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not (tmp_path / "m.csv").exists()


def test_nothing_is_overwritten_unasked(tmp_path: Path, run_here: Run) -> None:
    (tmp_path / "m.csv").write_text("mine")
    done = run_here("manifest", "folder", ".", "-o", "m.csv", cwd=tmp_path)
    assert done.returncode == 1
    assert "m.csv: exists already; use --overwrite" in done.stderr
    assert (tmp_path / "m.csv").read_text() == "mine"


def test_an_evaluation_from_a_folder_to_a_report(tmp_path: Path, run_here: Run) -> None:
    portrait = Image.open(portrait_path()).crop((120, 90, 400, 370)).resize((96, 96))
    for subject in (1, 2):
        for expression, turned in (("happy", portrait), ("sad", portrait.rotate(8))):
            (tmp_path / "set" / expression).mkdir(parents=True, exist_ok=True)
            turned.save(tmp_path / "set" / expression / f"S{subject}_{subject}.png")
    pattern = "(?P<subject>S[0-9])_"
    done = run_here("manifest", "folder", "set", "-o", "m.csv", "--subject", pattern, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    command = ("evaluate", "compact", "--data", "m.csv", "-o", "eval", "--faces", "none")
    done = run_here(*command, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "error: m.csv: no clip is in the split test; --split all takes every clip\n",
    )
    done = run_here(*command, "--split", "all", "--frames", "--mistakes", "2", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == "note: 2 subjects are too few for these intervals to be trusted\n"
    assert "4 clips, 95 % intervals over 2 subjects -> eval" in done.stdout
    assert {path.name for path in (tmp_path / "eval").iterdir()} == set(OWN_FILES)
    done = run_here("compare", "eval", "eval", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        0,
        "note: 2 subjects are too few for these intervals to be trusted\n",
    )
    assert "McNemar's exact p = 1" in done.stdout
    assert_missing_files_are_said(tmp_path, run_here)
    done = run_here(*command, "--split", "all", cwd=tmp_path)
    assert "exists already; use --overwrite" in done.stderr
    done = run_here(*command, "--split", "all", "--overwrite", cwd=tmp_path)
    assert done.returncode == 0
    # Faces are written only where they are asked for; those of the earlier run are gone.
    assert {path.name for path in (tmp_path / "eval").iterdir()} == set(OWN_FILES) - {
        "mistakes.png",
        "frame_predictions.csv",
    }
    # What the bundled model has learnt from were faces alone; what it is asked about may be anything.
    found = []
    for options in ([], ["--faces", "none"]):
        done = run_here(*command[:-2], *options, "--split", "all", "--overwrite", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found.append(json.loads((tmp_path / "eval" / "metrics.json").read_text())["faces"])
    assert found == ["mediapipe", "none"]


def assert_missing_files_are_said(folder: Path, run_here: Run) -> None:
    """Of a clip whose file is gone, where it is in the split that is measured."""
    lines = (folder / "m.csv").read_text().splitlines()
    header = lines[0].split(",")
    cells = [dict(zip(header, line.split(","), strict=True)) for line in lines[1:]]
    for number, cell in enumerate(cells):
        cell["split"] = ("test", "test", "test", "train")[number]
        cell["subject_id"] = f"S{number}"
    gone = {"test": cells[0], "train": cells[3]}
    parted = [lines[0], *(",".join(cell.values()) for cell in cells)]
    (folder / "parted.csv").write_text("\n".join(parted) + "\n")
    for part, cell in gone.items():
        kept = (folder / cell["path"]).read_bytes()
        (folder / cell["path"]).unlink()
        command = ("evaluate", "compact", "--data", "parted.csv", "-o", part, "--faces", "none")
        done = run_here(*command, cwd=folder)
        left_out = int(part == "test")
        assert done.returncode == left_out
        assert ("no such file or folder; left out" in done.stderr) == bool(left_out)
        figures = json.loads((folder / part / "metrics.json").read_text())
        assert (figures["clips"], figures["left_out"]) == (3 - left_out, left_out)
        (folder / cell["path"]).write_bytes(kept)


def test_calibration_says_what_the_calibrated_model_is_worth(tmp_path: Path, run_here: Run) -> None:
    """Also of clips that are read in two windows, of which it softens each, not their mean."""
    rng = np.random.default_rng(0)
    for number in range(4):
        folder = tmp_path / "clips" / ("happy", "sad")[number % 2] / f"{number}"
        folder.mkdir(parents=True)
        for index in range(120):  # 4.8 s
            face = rng.integers(0, 256, (48, 48)) if index < 60 else np.full((48, 48), 60 * number)
            Image.fromarray(face.astype(np.uint8)).save(folder / f"{index:03d}.png")
    shutil.copytree(model_folder("compact"), tmp_path / "model")
    assert run_here("manifest", "folder", "clips", "-o", "m.csv", cwd=tmp_path).returncode == 0
    manifest = tmp_path / "m.csv"
    records = [replace(record, split="validation") for record in read_manifest(manifest).records]
    write_manifest(Manifest(tuple(records)), manifest)
    done = run_here("calibrate", "model", "--data", "m.csv", "--faces", "none", "--cache", "cache", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    calibrated, packed = load_checkpoint(tmp_path / "model"), read_packed(tmp_path / "cache")
    predictor = Predictor(calibrated.model, torch.device("cpu"), "float32")
    found = predict(predictor, packed, packed.clips)
    figures = calibrated.provenance.training["calibration"]
    assert figures["log_loss"][1] == pytest.approx(log_loss(found.probabilities, found.truth), rel=1e-6)
    assert figures["ece"][1] == pytest.approx(reliability(found.probabilities, found.truth).ece, rel=1e-6)


def test_a_model_is_calibrated_on_its_validation_split(tmp_path: Path, run_here: Run) -> None:
    rng = np.random.default_rng(0)
    lines = ["clip_id,path,label,split"]
    for number in range(40):
        Image.fromarray(rng.integers(0, 256, (48, 48), np.uint8)).save(tmp_path / f"{number}.png")
        lines.append(f"{number},{number}.png,{('happy', 'sad')[number % 2]},validation")
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n")
    shutil.copytree(model_folder("compact"), tmp_path / "model")
    command = ("calibrate", "model", "--data", "m.csv", "--faces", "none")
    done = run_here(*command, "-o", "calibrated", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = (load_checkpoint(tmp_path / name) for name in ("model", "calibrated"))
    figures = second.provenance.training["calibration"]
    fitted, earlier = float(done.stdout.split()[1].rstrip(",")), first.provenance.training["calibration"]
    assert abs(fitted - 1) > 0.1
    assert figures["temperature"] == pytest.approx(earlier["temperature"] * fitted, abs=1e-3)
    assert figures["log_loss"][1] < figures["log_loss"][0]
    # What the model was measured to be stays, but for how sure it was.
    first_figures, second_figures = (one.provenance.metrics["PublicTest"] for one in (first, second))
    assert second_figures["accuracy"] == first_figures["accuracy"]
    assert "ece" in first_figures
    assert "ece" not in json.dumps(second.provenance.metrics)
    assert earlier["clips"] != figures["clips"] == 40
    again = run_here("calibrate", "calibrated", *command[2:], cwd=tmp_path)
    assert abs(float(again.stdout.split()[1].rstrip(",")) - 1) < 0.01  # in place, and nothing is left to do

    done = run_here("calibrate", "compact", *command[2:], cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: compact is a bundled model, which stays as it is")
    done = run_here("calibrate", "compact", *command[2:], "-o", "own", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert load_checkpoint(tmp_path / "own").sha256 == second.sha256

    # Of a single clip that is read rightly no model can be too sure.
    few = ("model", "--data", "few.csv", "--faces", "none")
    (tmp_path / "few.csv").write_text(f"{lines[0]}\n0,0.png,happy,validation\n")
    done = run_here("evaluate", *few, "--split", "validation", "-o", "seen", cwd=tmp_path)
    assert done.returncode == 0
    (read,) = pd.read_csv(tmp_path / "seen" / "predictions.csv").predicted
    (tmp_path / "few.csv").write_text(f"{lines[0]}\n0,0.png,{read},validation\n")
    before = (tmp_path / "model" / "model.json").read_bytes()
    for output in ([], ["-o", "few"]):
        done = run_here("calibrate", *few, *output, cwd=tmp_path)
        assert done.returncode == 1
        assert "error: too few of 1 validation clips are read wrongly" in done.stderr
    assert not (tmp_path / "few").exists()
    assert (tmp_path / "model" / "model.json").read_bytes() == before

    done = run_here("calibrate", "gone", *command[2:], cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: unknown model 'gone'")
    done = run_here(*command, "-o", "calibrated", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: calibrated: exists already; use --overwrite")

    description = tmp_path / "model" / "model.json"
    document = json.loads(description.read_text())
    document["training"]["config"]["data"]["with_validation"] = True
    description.write_text(json.dumps(document))
    done = run_here(*command, "-o", "calibrated", "--overwrite", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("note: the model has learnt from a validation split")
