"""What stands in an exported file, what ONNX Runtime reads with it, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqfer.errors import ModelError, OutputError
from seqfer.labels import EKMAN6
from seqfer.models import onnx_export
from seqfer.models.bundled import load_model
from seqfer.models.checkpoint import Checkpoint, Provenance
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.ensemble import ensemble_of
from seqfer.models.heads import BiLSTMHead, SequenceOutput, soften
from seqfer.models.inference import Predictor
from seqfer.models.onnx_export import export_onnx, metadata_of
from seqfer.preprocess import CropGeometry, Preprocess

onnx = pytest.importorskip("onnx", reason="the extra export is not installed")
runtime = pytest.importorskip("onnxruntime", reason="the extra export is not installed")

NARROW = {"stem_width": 4, "widths": (8, 8), "blocks": (1, 1)}
EDGY = Preprocess(48, equalize=True, edges=True, scaling="unit", grey="rgb2gray")
KINDS = {
    "compact-bilstm": Architecture("compact", NARROW, "bilstm", {"width": 8}),
    "reaching": Architecture("compact", NARROW, "bilstm", {"width": 8, "reach": 4}),
    "calm": Architecture("compact", NARROW, "bilstm", {"width": 8, "reach": 4, "calm": 0.1}),
    "two-layers": Architecture("compact", NARROW, "bilstm", {"width": 8, "layers": 2, "dropout": 0.3}),
    "compact-mean": Architecture("compact", NARROW, "mean", {"dropout": 0.5}, EKMAN6),
    "vgg-flattened-middle": Architecture(
        "vgg",
        {"widths": (4, 8), "convolutions": (1, 2), "flattened": 6, "middle": 24},
        "mean",
        preprocess=Preprocess(32),
    ),
    "fernet-edges": Architecture("fernet", {}, "mean", preprocess=EDGY),
    "mobilenet-rgb": Architecture("mobilenet_v2", {}, "bilstm", {"width": 8}, preprocess=Preprocess(64, 3)),
}


def opinionated(architecture: Architecture, name: str = "mine", **training: Any) -> Checkpoint:
    """A model that answers pictures differently, as an untrained one hardly does."""
    torch.manual_seed(0)
    model = SequenceClassifier(architecture).train()
    for module in model.encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    pictures = torch.from_numpy(crops(architecture.preprocess, 8, 1))
    with torch.no_grad():
        embeddings = model.encoder(architecture.preprocess(pictures))
        for weight in model.head.parameters():  # a BiLSTM's context starts at zero
            weight.normal_(0, 0.5)
        frame: Any = model.head.frame
        frame.weight.mul_(2 / frame(embeddings).std(0).mean())
        frame.bias.sub_(frame(embeddings).mean(0))
    return Checkpoint(name, model.eval(), "0" * 64, Provenance(training))


def made(kind: str) -> Checkpoint:
    if not kind.startswith("ensemble"):
        return opinionated(KINDS[kind])
    members = [opinionated(Architecture("compact", NARROW, "mean"), "a")]
    members.append(opinionated(Architecture("vgg", {"widths": (4,), "convolutions": (1,)}, "mean"), "b"))
    model, provenance = ensemble_of(members, mirrored="mirrored" in kind)
    soften(model.head, 1.7)
    return Checkpoint("both", model, "0" * 64, provenance)


def crops(preprocess: Preprocess, clips: int, length: int) -> np.ndarray:
    """Patches of random brightness: (B * T, S, S, C) uint8."""
    side = preprocess.size // 8
    coarse = np.random.default_rng(1).integers(0, 256, (clips * length, 8, 8, preprocess.channels), np.uint8)
    return coarse.repeat(side, 1).repeat(side, 2)


def read(file: Path, frames: np.ndarray) -> list[np.ndarray]:
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(["frame_probabilities", "clip_probabilities"], {"frames": frames})


@pytest.mark.parametrize("kind", [*KINDS, "ensemble", "ensemble, mirrored"])
def test_the_file_reads_as_the_model_does(kind: str, tmp_path: Path) -> None:
    checkpoint = made(kind)
    assert export_onnx(checkpoint, tmp_path / "m.onnx") <= 1e-3
    model, preprocess = checkpoint.model, checkpoint.model.architecture.preprocess
    for clips, length in [(1, 1), (5, 1), (1, 13), (2, 4)]:
        pictures = torch.from_numpy(crops(preprocess, clips, length))
        with torch.inference_mode():
            inputs = preprocess(pictures)
            output = model(inputs.view(clips, length, *inputs.shape[1:]), torch.full((clips,), length))
        expected = output.frame_logits.softmax(2).numpy()
        # As a user makes it: the planes that seqfer sees, as levels of 0 to 255.
        planes = (preprocess.planes(pictures) * 255).round().byte().view(clips, length, *inputs.shape[1:])
        of_frames, of_clips = read(tmp_path / "m.onnx", planes.numpy())
        np.testing.assert_allclose(of_frames, expected, atol=1e-3)
        np.testing.assert_allclose(of_clips, output.clip_logits.softmax(1), atol=1e-3)
        assert clips * length == 1 or np.ptp(expected, axis=(0, 1)).max() > 0.02  # not the same of everything
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_the_bundled_models_file_reads_a_clip_as_the_predictor_does(tmp_path: Path) -> None:
    checkpoint = load_model()
    export_onnx(checkpoint, tmp_path / "m.onnx")
    predictor = Predictor(checkpoint.model, torch.device("cpu"), "float32")
    pictures = crops(checkpoint.model.architecture.preprocess, 1, 40)
    pictures[7] = 128  # a flat picture is one of zeros, not of noise
    expected = predictor.read_clip(predictor.encode(pictures), np.arange(40) / 25)
    for mine, its in zip(expected, read(tmp_path / "m.onnx", pictures.transpose(0, 3, 1, 2)[None]), strict=True):
        np.testing.assert_allclose(its[0], mine, atol=4e-3)  # it keeps embeddings as float16


def test_the_file_says_what_it_needs(tmp_path: Path) -> None:
    architecture = Architecture("fernet", {}, "mean", {}, EKMAN6, EDGY, frame_rate=12.5, window_s=2.0)
    training = {"config": {"data": {"faces": "none"}}, "calibration": {"temperature": 1.5}}
    export_onnx(opinionated(architecture, "mine/best", **training), tmp_path / "m.onnx")
    written = onnx.load(tmp_path / "m.onnx")
    texts = {entry.key: entry.value for entry in written.metadata_props}
    assert texts["model"] == "mine/best"
    assert texts["model_sha256"] == "0" * 64
    assert "not a person's feelings" in texts["probabilities"]
    for part in ("cv2.equalizeHist", "0.2989 R", "1.06 times", "eyes lie level", "48 x 48", "canny"):
        assert part in texts["before_the_graph"]
    wanted = {
        "labels": ["angry", "disgust", "fear", "happy", "sad", "surprise"],
        "size": 48,
        "planes": ["grey", "edges"],
        "crop_margin": 1.06,
        "crop_shift_up": 0.107,
        "crop_align": True,
        "grey_weights": [0.2989, 0.5870, 0.1140],
        "equalize": True,
        "edges": True,
        "frame_rate": 12.5,
        "window_s": 2.0,
        "temperature_applied": 1.5,
    }
    assert {name: json.loads(texts[name]) for name in wanted} == wanted
    assert (texts["scaling"], texts["faces_in_training"]) == ("unit", "none")
    assert written.producer_name == "seqfer"
    assert [entry.version for entry in written.opset_import if entry.domain == ""] == [17]
    shapes = {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in [*written.graph.input, *written.graph.output]
    }
    assert shapes == {
        "frames": ["clips", "frames", 2, 48, 48],
        "frame_probabilities": ["clips", "frames", 6],
        "clip_probabilities": ["clips", 6],
    }


def test_metadata_leave_out_what_is_not_so() -> None:
    architecture = Architecture(preprocess=Preprocess(96, 3, CropGeometry(1.5, 0.0, align=False)))
    texts = metadata_of(opinionated(architecture, b"caf\xe9".decode("utf-8", "surrogateescape")))
    assert texts["model"] == "caf?"
    assert json.loads(texts["planes"]) == ["red", "green", "blue"]
    assert not {"grey_weights", "faces_in_training", "temperature_applied"} & set(texts)
    assert "red, green, blue" in texts["before_the_graph"]
    for part in ("grey", "canny", "equalise", "level"):
        assert part not in texts["before_the_graph"]


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        export_onnx(made("compact-bilstm"), tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def deaf(head: BiLSTMHead, embeddings: torch.Tensor) -> SequenceOutput:
    """A head that leaves the context out."""
    logits = head.frame(embeddings)
    return SequenceOutput(logits, logits.mean(1), logits[:, :, 0])


def fixed(head: BiLSTMHead, embeddings: torch.Tensor) -> SequenceOutput:
    """A head that reads as many clips as it was traced with."""
    logits = head.frame(embeddings) + torch.zeros(2, 1, 1)
    return SequenceOutput(logits, logits.mean(1), logits[:, :, 0])


def unsure(head: BiLSTMHead, embeddings: torch.Tensor) -> SequenceOutput:
    logits = head.frame(embeddings) * float("nan")
    return SequenceOutput(logits, logits.mean(1), logits[:, :, 0])


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (deaf, r"mine: for 1 x 9 frames ONNX Runtime's frame_probabilities differ from PyTorch's by 0\.\d{4}"),
        (fixed, r"mine: the ONNX file does not work \(.*\); none was written"),
        (unsure, "differ from PyTorch's by nan"),
    ],
)
def test_a_file_that_reads_otherwise_does_not_stay(
    reading: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "_read_unpacked", reading)
    (tmp_path / "m.onnx").write_text("an earlier one")
    with pytest.raises(ModelError, match=said) as caught:
        export_onnx(made("compact-bilstm"), tmp_path / "m.onnx", overwrite=True)
    assert "\n" not in str(caught.value)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["an earlier one"]


def test_a_model_that_cannot_read_its_own_input_is_named(tmp_path: Path) -> None:
    small = SequenceClassifier(Architecture("fernet", {}, "mean", preprocess=Preprocess(16)))
    with pytest.raises(ModelError, match=r"small: cannot be exported \("):
        export_onnx(Checkpoint("small", small, "0" * 64, Provenance()), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_one_line(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    said = rf"m\.onnx: cannot be made without {package} .*; pip install 'seqfer\[export\]'"
    with pytest.raises(OutputError, match=said):
        export_onnx(made("compact-mean"), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
