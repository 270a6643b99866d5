"""The five papers, each by its one command, on small generated data in the real layouts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqfer.datasets.manifest import read_manifest
from seqfer.models.checkpoint import load_checkpoint
from tests.end_to_end.commands import Run
from tests.moving_faces import write_liris_set

CK7 = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
FER7 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
QUICK = ("--set", "epochs=1", "--set", "batch_size=16")
SMALL = (
    *("--set", "model.encoder=vgg", "--set", "model.encoder_settings={widths: [4], convolutions: [1]}"),
    *("--set", "epochs=1"),
)


def picture(label: int, who: int, rng: np.random.Generator) -> Image.Image:
    """A face as far as these tests go: stripes in the label's direction, and how a person shows it."""
    y, x = np.mgrid[0:48, 0:48]
    angle, own = label * np.pi / 7, np.random.default_rng((who, label))
    wave = (np.cos(angle) * x + np.sin(angle) * y) / own.uniform(1.5, 4) + own.uniform(0, 6)
    person = np.kron(own.normal(0, 45, (6, 6)), np.ones((8, 8)))
    grey = 128 + 40 * np.sin(wave) + person + rng.normal(0, 4, (48, 48))
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def ck48(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CK+48's layout: class folders of the last three frames of each sequence."""
    root = tmp_path_factory.mktemp("ck") / "CK+48"
    rng = np.random.default_rng(0)
    for who in range(10, 20):
        for label, name in enumerate(CK7):
            (root / name).mkdir(parents=True, exist_ok=True)
            for frame in (15, 16, 17):
                picture(label, who, rng).save(root / name / f"S{who:03d}_{label + 1:03d}_{frame:08d}.png")
    return root


@pytest.fixture(scope="module")
def fer2013(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FER-2013's layout: class folders in train, validation and test; one test picture repeats a training one."""
    root = tmp_path_factory.mktemp("fer") / "fer2013"
    rng = np.random.default_rng(1)
    number = 0
    for split, count in (("train", 8), ("validation", 3), ("test", 3)):
        for label, name in enumerate(FER7):
            (root / split / name).mkdir(parents=True)
            for _ in range(count):
                number += 1
                picture(label, 1000 + number, rng).save(root / split / name / f"{number}.png")
    repeated = next((root / "train" / "happy").iterdir())
    (root / "test" / "happy" / "repeated.png").write_bytes(repeated.read_bytes())
    return root


def rows_in(folder: Path) -> dict[tuple[str, str], dict]:
    rows = json.loads((folder / "rows.json").read_text())
    return {(row["protocol"], row["system"]): row for row in rows}


def test_p1_from_a_pretraining_to_an_honest_row(ck48: Path, fer2013: Path, tmp_path: Path, run_here: Run) -> None:
    assert run_here("manifest", "fer2013", fer2013, "-o", "fer.csv", cwd=tmp_path).returncode == 0
    pretraining = ("train", "papers/p1-resnet50-pretraining", "--data", "fer.csv", "-o", "pre", *QUICK)
    assert run_here(*pretraining, cwd=tmp_path).returncode == 0

    begun = ("--set", "start.weights=pre/best")
    done = run_here("papers", "run", "p1", ck48, "-o", "p1", "--protocol", "paper", *begun, *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    transfer, scratch = (
        load_checkpoint(tmp_path / "p1" / "paper" / name / "best") for name in ("transfer", "scratch")
    )
    assert transfer.provenance.training["start_sha256"] == load_checkpoint(tmp_path / "pre" / "best").sha256
    assert scratch.provenance.training["start_sha256"] == "scratch"
    assert transfer.model.architecture.preprocess.equalize
    rows = rows_in(tmp_path / "p1")
    assert set(rows) == {("paper", "transfer"), ("paper", "scratch")}
    assert all(row["clips"] == 42 and "image" in row["leaky"] for row in rows.values())
    assert "these splits leak" in done.stderr


def test_p1_by_images_is_too_good_and_says_so(ck48: Path, tmp_path: Path, run_here: Run) -> None:
    network = "{widths: [8, 16], convolutions: [1, 1], flattened: 12}"
    learning = ("optimizer.name=muon", "optimizer.rate=0.01", "epochs=3")
    settings = ("model.encoder=vgg", f"model.encoder_settings={network}", *learning)
    command = ("papers", "run", "p1", ck48, "-o", "p1", *(part for one in settings for part in ("--set", one)))
    done = run_here(*command, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("there are no ImageNet weights for encoder 'vgg'") == 2  # each protocol had its try
    done = run_here(*command, "--set", "start.weights=scratch", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = list(rows_in(tmp_path / "p1").values())
    assert [(row["clips"], bool(row["leaky"])) for row in rows] == [(42, True)] * 2 + [(210, False)] * 2
    assert rows[2]["units"] == "10 subjects"
    # The same settings on the same pictures: the network has learnt people, and meets them again or does not.
    leaky, honest = (rows[k]["values"]["accuracy"][0] for k in (0, 2))
    assert leaky > 0.9
    assert honest < 0.3
    table = (tmp_path / "p1" / "rows.md").read_text()
    assert table.count("80/20 by images, the last epoch (with `model.encoder=vgg model.encoder_settings=") == 2
    assert table.count("start.weights=scratch`) †") == 2
    assert table.count("\n† not to be trusted: ") == 1


def test_p2_joined_and_honest(fer2013: Path, tmp_path: Path, run_here: Run) -> None:
    done = run_here("papers", "run", "p2", fer2013, "-o", "p2", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    paper, honest = (
        load_checkpoint(tmp_path / "p2" / name / "compact-cnn" / "best").provenance for name in ("paper", "honest")
    )
    assert (
        sum(
            weight.numel()
            for weight in load_checkpoint(tmp_path / "p2" / "paper" / "compact-cnn" / "best").model.parameters()
        )
        == 879_623
    )
    assert (paper.training["data"]["clips"], paper.metrics) == (7 * 11, {})
    assert honest.training["data"]["clips"] == 7 * 8 - 1  # without the one that the test set repeats
    assert honest.metrics["validation"]["chose_the_epoch"] is False
    assert [row["clips"] for row in rows_in(tmp_path / "p2").values()] == [22, 22]

    # Run again, it measures anew but learns nothing more.
    again = run_here("papers", "run", "p2", fer2013, "-o", "p2", *QUICK, cwd=tmp_path)
    assert again.returncode == 0
    assert again.stdout.count("nothing is left to do") == 2
    assert "clean.csv is there" in again.stdout


def test_p3_two_systems_side_by_side_and_the_ensemble_annotates(
    fer2013: Path, demo_clip: Path, tmp_path: Path, run_here: Run
) -> None:
    done = run_here("papers", "run", "p3", fer2013, "-o", "p3", "--protocol", "honest", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(rows_in(tmp_path / "p3")) == {("honest", "CNN-BiLSTM"), ("honest", "HERO-style")}
    place = tmp_path / "p3" / "honest"
    hero = load_checkpoint(place / "hero")
    assert [member["config"]["model"]["encoder"] for member in hero.provenance.training["members"]] == ["vgg"] * 3
    assert (place / "comparison" / "matrices.png").stat().st_size > 10_000
    # A frame model as any other.
    still = "portrait.png"
    picture(3, 5, np.random.default_rng(0)).resize((240, 240)).save(tmp_path / still)
    for path in (demo_clip, still):
        done = run_here("annotate", path, "--model", place / "hero", "--every", "25", "-o", "seen", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    timeline = json.loads((tmp_path / "seen" / "demo" / "timeline.json").read_text())
    assert timeline["model"]["name"] == "hero"


def test_p4_before_and_after_smote_and_with_the_test_set_resampled(
    fer2013: Path, tmp_path: Path, run_here: Run
) -> None:
    assert run_here("manifest", "fer2013", fer2013, "-o", "fer.csv", cwd=tmp_path).returncode == 0
    pretraining = (
        "train",
        "papers/p4-mobilenet-pretraining",
        "--data",
        "fer.csv",
        "-o",
        "pre",
        "--set",
        "schedule.warmup=0",
    )
    assert run_here(*pretraining, *QUICK, cwd=tmp_path).returncode == 0

    # Of the test set's classes most have three pictures: one neighbour is all that SMOTE can ask for there.
    changes = ("features.weights=pre/best", "smote.neighbours=1", "selection.trees=20", "selection.ants=2")
    command = ("papers", "run", "p4", fer2013, "-o", "p4", *(part for one in changes for part in ("--set", one)))
    done = run_here(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = rows_in(tmp_path / "p4")
    assert [(name, row["clips"]) for (_, name), row in rows.items()] == 2 * [
        ("before SMOTE", 22),
        ("after SMOTE", 22),
        ("after SMOTE, test set resampled too", 28),
    ]
    # One of the test pictures repeats one of training, which the paper's protocol keeps.
    assert [bool(row["leaky"]) for row in rows.values()] == [True, True, True, False, False, True]
    assert all(row["changes"] == list(changes) for row in rows.values())
    before, after = (
        json.loads((tmp_path / "p4" / "honest" / f"{name}-smote" / "forest.json").read_text())["training"]
        for name in ("without", "with")
    )
    assert before["clips"] == {"before_smote": 55, "after_smote": 55}
    assert after["clips"] == {"before_smote": 55, "after_smote": 56}
    assert "are synthetic, made by SMOTE" in (tmp_path / "p4" / "rows.md").read_text()

    # What lies there was made by these settings, and is not taken for what others would make.
    done = run_here(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout.count("is there")) == (0, 7)
    done = run_here(*command, "--protocol", "honest", "--set", "forest.trees=3", cwd=tmp_path)
    assert done.returncode == 1
    assert rows_in(tmp_path / "p4") == rows
    assert "without-smote: was made by seqfer classic fit" in done.stderr
    other = tmp_path / "other"
    other.symlink_to(fer2013)
    done = run_here(*("papers", "run", "p4", other, "-o", "p4", "--protocol", "honest"), cwd=tmp_path)
    assert done.returncode == 1
    assert "manifest.csv: was made by seqfer manifest fer2013" in done.stderr


def test_p5_by_frames_as_the_paper_and_by_child(tmp_path: Path, demo_clip: Path, run_here: Run) -> None:
    write_liris_set(tmp_path / "LIRIS-CSE", demo_clip, subjects=3)
    command = ("papers", "run", "p5", "LIRIS-CSE", "-o", "p5")
    done = run_here(*command, "--protocol", "paper", "--set", "epochs=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no training clip shows angry, disgust, fear" in done.stderr
    place = tmp_path / "p5" / "paper"
    preprocess = load_checkpoint(place / "resnet50" / "best").model.architecture.preprocess
    assert (preprocess.size, preprocess.channels, preprocess.grey) == (112, 1, "rgb2gray")
    manifest = read_manifest(place / "manifest.csv")
    assert len(manifest.records) == 3 * 3 * 2 * 6  # frames, not clips
    assert manifest.leaky
    assert (place / "resnet50-evaluation" / "mistakes.png").is_file()

    for protocol, leaky in (("clip", True), ("honest", False)):
        options = ("--protocol", protocol, *SMALL, "--set", "model.size=48")
        done = run_here(*command, *options, cwd=tmp_path)
        # Three children cannot be dealt out to twelve folds.
        assert (done.returncode == 0) is leaky, done.stderr
    assert "3 subjects or clips cannot be dealt out to 12 parts" in done.stderr


def test_the_list_says_what_is_there(ck48: Path, fer2013: Path, tmp_path: Path, run_here: Run) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ckplus48").symlink_to(ck48)
    (tmp_path / "data" / "liris-cse").mkdir()
    done = run_here("papers", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        "p1  ResNet-50 by transfer learning on CK+48",
        "    data     data/ckplus48: 70 clips",
        "    data     data/fer2013: not there",
        "    data     data/liris-cse: is no liris-cse",
        "    $ seqfer papers run p4 data/fer2013 -o p4",
    ):
        assert line in done.stdout.splitlines()


@pytest.mark.parametrize("name", ["p1", "p2", "p3", "p4", "p5"])
def test_commands_are_shown_without_being_run(name: str, tmp_path: Path, run_here: Run) -> None:
    done = run_here("papers", "run", name, "DATA", "-o", "OUT", "--show", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("$ seqfer ") >= 6
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("p6", "DATA"), "unknown paper 'p6'; known: p1, p2, p3, p4, p5"),
        (("p2", "DATA", "--protocol", "fair"), "p2 has no protocol 'fair'; known: paper, honest, optimizers"),
        (("p2", "DATA"), "DATA"),
    ],
    ids=["paper", "protocol", "no data"],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], said: str, tmp_path: Path, run_here: Run) -> None:
    done = run_here("papers", "run", *arguments, "-o", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert all(line.startswith("error: ") and said in line for line in done.stderr.splitlines())
    assert len(done.stderr.splitlines()) == (2 if said == "DATA" else 1)


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (("compact",), "an ensemble needs two models or more"),
        (("compact", "compact"), "compact: an ensemble averages frame models; this one has head bilstm"),
        (("compact", "compakt"), "unknown model 'compakt'"),
    ],
    ids=["one", "temporal", "unknown"],
)
def test_ensembles_that_cannot_be_are_one_line(
    models: tuple[str, ...], said: str, tmp_path: Path, run_here: Run
) -> None:
    done = run_here("ensemble", *models, "-o", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []
