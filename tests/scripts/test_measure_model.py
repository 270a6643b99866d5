from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import measure_model
import numpy as np
import pytest
import torch

from seqfer.datasets.fer2013 import load_fer2013
from seqfer.errors import OptionError
from seqfer.labels import FER7, LabelSet
from seqfer.models.checkpoint import Checkpoint, Provenance, save_checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier

SMALL = {"stem_width": 8, "widths": (16, 16), "blocks": (1, 1)}


@pytest.fixture(scope="module")
def fer2013(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of noise; one test still repeats a training one."""
    root, rng = tmp_path_factory.mktemp("fer2013"), np.random.default_rng(0)
    for split, count in (("train", 1), ("validation", 2), ("test", 2)):
        for name in FER7:
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                still = rng.integers(0, 256, (48, 48)).astype(np.uint8)
                cv2.imwrite(str(root / split / name / f"{number}.png"), still)
    (root / "test" / "sad" / "0.png").write_bytes((root / "train" / "sad" / "0.png").read_bytes())
    return root


def folder_of(head: str, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = SequenceClassifier(Architecture(encoder_settings=SMALL, head=head)).eval()
    save_checkpoint(tmp_path / "model", model, Provenance())
    return tmp_path / "model"


@pytest.mark.parametrize("head", ["mean", "bilstm"])
def test_figures_are_printed_saved_and_drawn(
    head: str, fer2013: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, pictures = folder_of(head, tmp_path), tmp_path / "pictures"
    words = [str(folder), "--fer2013", str(fer2013), "--save", "--pictures", str(pictures)]
    monkeypatch.setattr(sys, "argv", ["measure_model.py", *words])
    measure_model.main()
    shown = capsys.readouterr().out
    assert "PublicTest (chose the model)" in shown
    assert shown.count("expected calibration error, 15 bins") == 2

    saved = json.loads((folder / "model.json").read_text())["metrics"]
    assert list(saved) == ["PublicTest", "PrivateTest"]
    private = saved["PrivateTest"]
    assert np.sum(private["confusion_matrix"]) == private["n"] == 14
    assert private["accuracy"] == pytest.approx(np.trace(private["confusion_matrix"]) / 14)
    assert 0 <= private["ece"] <= 1
    assert private["those that repeat no Training still"]["n"] == 13
    alone = "all, by the encoder without the head"
    assert (alone in private) == ("clips" in private) == (head == "bilstm")
    if head == "bilstm":
        # An untrained head adds nothing to what the encoder says, and nothing disturbs these clips' stills.
        assert private[alone]["accuracy"] == private["accuracy"]
        still = private["clips"]["undisturbed, steady"]
        assert still["clip_accuracy"] == still["clip_accuracy_of_means"] == pytest.approx(private["accuracy"])
    names = {
        f"model-{split}-{kind}.png"
        for split in ("publictest", "privatetest")
        for kind in ("matrix", "reliability")
    }
    assert {path.name for path in pictures.iterdir()} == names
    assert all(cv2.imread(str(path)) is not None for path in pictures.iterdir())


def test_private_test_can_be_left_alone(
    fer2013: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of("bilstm", tmp_path)
    words = [str(folder), "--fer2013", str(fer2013), "--only-public", "--clips", "5", "--save"]
    monkeypatch.setattr(sys, "argv", ["measure_model.py", *words])
    description = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**description, "metrics": {"PrivateTest": "as it was"}}))
    measure_model.main()
    assert "PrivateTest" not in capsys.readouterr().out
    saved = json.loads((folder / "model.json").read_text())["metrics"]
    assert list(saved) == ["PrivateTest", "PublicTest"]
    assert saved["PrivateTest"] == "as it was"
    assert saved["PublicTest"]["clips"]["disturbed, steady"]["clips"] == 5


def test_a_model_of_other_expressions_is_refused(
    fer2013: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture = Architecture(encoder_settings=SMALL, head="mean", labels=LabelSet(("happy", "sad")))
    save_checkpoint(tmp_path / "model", SequenceClassifier(architecture).eval(), Provenance())
    monkeypatch.setattr(sys, "argv", ["measure_model.py", str(tmp_path / "model"), "--fer2013", str(fer2013)])
    with pytest.raises(OptionError, match="must tell apart angry, disgust"):
        measure_model.main()


def test_clips_are_as_long_and_as_fast_as_the_model_reads(fer2013: Path) -> None:
    architecture = Architecture(encoder_settings=SMALL, frame_rate=12.5)
    checkpoint = Checkpoint("slow", SequenceClassifier(architecture).eval(), "", Provenance())
    stills = load_fer2013(fer2013)["test"]
    found = measure_model.measure_clips(checkpoint, stills, 5)["disturbed, steady"]
    assert found["frames"] == 5 * 25  # all of two seconds
