from __future__ import annotations

import shutil
import sys
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
import show_limits
import torch

from seqfer.errors import ModelError
from seqfer.faces.types import DETECTORS, create_detector
from seqfer.models.checkpoint import Provenance, save_checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.preprocess import Preprocess


def test_each_column_disturbs_the_crop_but_the_first() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    shown = show_limits.disturbed(crop)
    assert shown.shape == (len(show_limits.COLUMNS), 48, 48, 3)
    changed = [not np.array_equal(one, crop) for one in shown]
    assert changed == [False] + [True] * (len(shown) - 1)


@pytest.fixture
def rendered(demo_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's clip is there already."""
    monkeypatch.setattr(show_limits, "write_demo_clip", lambda path: shutil.copy(demo_clip, path))


@pytest.mark.usefixtures("rendered")
def test_the_demos_face_is_found_at_every_expression_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    small = Architecture(encoder_settings={"stem_width": 8, "widths": (16,), "blocks": (1,)}, head="mean")
    save_checkpoint(tmp_path / "model", SequenceClassifier(small).eval(), Provenance())
    picture = tmp_path / "limits.png"
    monkeypatch.setattr(sys, "argv", ["show_limits.py", str(tmp_path / "model"), "-o", str(picture)])
    show_limits.main()
    height, width, _ = cv2.imread(str(picture)).shape
    assert width > 2 * height > 1000


@pytest.mark.usefixtures("rendered")
@pytest.mark.parametrize("detector", DETECTORS)
def test_either_detector_finds_the_face(detector: str) -> None:
    with closing(create_detector(detector)) as finder:
        crops = show_limits.apexes(finder, Preprocess(48))
    assert [crop.shape for crop in crops] == [(48, 48, 3)] * 4
    assert all(np.abs(one.astype(int) - crops[0]).mean() > 3 for one in crops[1:])


def test_what_cannot_be_done_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["show_limits.py", "nothing", "-o", str(tmp_path / "limits.png")])
    with pytest.raises(ModelError, match="nothing"):
        show_limits.main()
    assert list(tmp_path.iterdir()) == []
