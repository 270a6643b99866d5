from __future__ import annotations

import sys
from pathlib import Path

import encoder_speed as script
import numpy as np
import pytest
import torch

from seqfer.models.checkpoint import Provenance, save_checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier

SMALL = {"stem_width": 8, "widths": (16, 16), "blocks": (1, 1)}


@pytest.fixture(scope="module")
def model() -> SequenceClassifier:
    torch.manual_seed(0)
    return SequenceClassifier(Architecture(encoder_settings=SMALL, head="mean")).eval()


@pytest.mark.parametrize(
    ("name", "off"),
    [("folded", 1e-5), ("unfolded", 1e-6), ("frozen", 1e-5), ("bfloat16", 2e-2), ("onnxruntime", 1e-5)],
)
def test_every_way_reads_the_same(model: SequenceClassifier, name: str, off: float) -> None:
    if name == "onnxruntime":
        pytest.importorskip("onnx", reason="the extra export is not installed")
        pytest.importorskip("onnxruntime", reason="the extra export is not installed")
    faces = script.crops_of(model.architecture.preprocess, 6)
    way = script.WAYS[name](model.encoder, model.architecture.preprocess(faces))
    expected = script.probabilities(model, model.encoder, faces)
    assert (script.probabilities(model, way, faces) - expected).abs().max() < off


def test_ways_take_turns(model: SequenceClassifier) -> None:
    faces = script.crops_of(model.architecture.preprocess, 2)
    seen = []

    def way(images: torch.Tensor) -> torch.Tensor:
        seen.append(images.shape)
        return images

    speeds = script.turns(model, way, faces, rounds=3)
    assert seen == [(2, 1, 48, 48)] * 5  # two of them before it counts
    assert speeds.shape == (3, 2)
    assert np.all(speeds > 0)


def test_its_table_names_what_this_machine_cannot_do(
    model: SequenceClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> script.Way:
        raise RuntimeError("no C++ compiler\nlong story")

    save_checkpoint(tmp_path / "model", model, Provenance())
    monkeypatch.setattr(script, "WAYS", {"folded": script.eager, "compiled": broken})
    monkeypatch.setattr(
        sys, "argv", ["encoder_speed.py", str(tmp_path / "model"), "--batches", "1", "2", "--rounds", "1"]
    )
    script.main()
    shown = capsys.readouterr().out
    assert "compiled: RuntimeError: no C++ compiler\n" in shown
    assert "folded" in shown
    assert "2 at once" in shown
