"""A model as one ONNX file, checked against PyTorch: for programs that read faces without seqfer.

The graph begins where `Preprocess.planes` ends and ends with probabilities. Everything that a reader of the file
must know beyond it stands in the file's metadata.
"""

from __future__ import annotations

import copy
import importlib
import io
import json
import math
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqfer import __version__
from seqfer.errors import ModelError, OutputError, one_line
from seqfer.files import check_file, write_whole
from seqfer.models.checkpoint import Checkpoint
from seqfer.models.classifier import SequenceClassifier
from seqfer.models.heads import BiLSTMHead, SequenceOutput
from seqfer.preprocess import GREYS, Preprocess

SUFFIX = ".onnx"
OPSET = 17  # the first with layer norm as one operation
INPUT, OUTPUTS = "frames", ("frame_probabilities", "clip_probabilities")
TOLERANCE = 1e-3  # in probability
TRACED = (2, 3)  # clips and frames of the batch that the graph is drawn from
CHECKED = ((1, 1), (4, 1), (1, 9), (3, 5))  # and of those that it is checked with: none of them is that one
MEANING = (
    "a classifier's reading of a posed-expression scheme: how much a face looks like pictures that people gave a "
    "label. They are not a person's feelings, and no measure of them"
)


def export_onnx(checkpoint: Checkpoint, path: Path, overwrite: bool = False) -> float:
    """Write a model as an ONNX file, once ONNX Runtime is seen to read it as PyTorch does.

    The graph's input `frames` is (B, T, C, H, W) uint8: the planes of B clips' face crops, T frames each, at the
    rate that the metadata name. Its outputs are `frame_probabilities` (B, T, K) and `clip_probabilities` (B, K),
    float32. B and T are free.

    Args:
        checkpoint: any model.
        path: of the file, with the suffix .onnx.
        overwrite: whether a file that is there may be replaced.

    Returns:
        The largest difference between ONNX Runtime's and PyTorch's probabilities over the batches of the check.

    Raises:
        OutputError: the file must not or cannot be written, or a package for it is missing.
        ModelError: the model has no ONNX form, or is read otherwise in it. Nothing is written then.
    """
    if path.suffix.lower() != SUFFIX:
        raise OutputError(path, f"must end in {SUFFIX}")
    onnx, runtime = (_package(name, path) for name in ("onnx", "onnxruntime"))
    check_file(path, overwrite)
    model = copy.deepcopy(checkpoint.model).eval().float().cpu()
    try:
        document = onnx.load_model_from_string(_traced(model))
    except RuntimeError as error:  # an input too small for the network, or an operation that ONNX lacks
        raise ModelError(f"{checkpoint.name}: cannot be exported ({one_line(error)})") from error
    document.producer_name, document.producer_version = "seqfer", __version__
    document.doc_string = f"Probabilities are {MEANING}."
    onnx.helper.set_model_props(document, metadata_of(checkpoint))
    with write_whole(path) as place:
        place.write_bytes(document.SerializeToString())
        return _checked(place.read_bytes(), model, checkpoint.name, onnx, runtime)


def metadata_of(checkpoint: Checkpoint) -> dict[str, str]:
    """What a reader of the file must know, by name; what is not plain text is JSON."""
    architecture, training = checkpoint.model.architecture, checkpoint.provenance.training
    preprocess, geometry = architecture.preprocess, architecture.preprocess.geometry
    grey = preprocess.channels == 1
    facts: dict[str, Any] = {
        "seqfer_version": __version__,
        "model": checkpoint.name,
        "model_sha256": checkpoint.sha256,
        "probabilities": MEANING,
        "labels": list(architecture.labels),
        "input": f"{INPUT}: uint8 (clips, frames, planes, height, width), face crops of 0 to 255; clips of one "
        f"batch have equally many frames, {architecture.frame_rate:g} per second; longer ones than "
        f"{architecture.window_s:g} s are read in parts",
        "outputs": f"{OUTPUTS[0]}: float32 (clips, frames, labels); {OUTPUTS[1]}: float32 (clips, labels)",
        "before_the_graph": "; ".join(_steps_before(preprocess)),
        "size": preprocess.size,
        "planes": (["grey"] if grey else ["red", "green", "blue"]) + ["edges"] * preprocess.edges,
        "crop_margin": geometry.margin,
        "crop_shift_up": geometry.shift_up,
        "crop_align": geometry.align,
        "grey_weights": GREYS[preprocess.grey] if grey else None,
        "equalize": preprocess.equalize,
        "edges": preprocess.edges,
        "scaling": preprocess.scaling,
        "scaling_in_graph": True,
        "frame_rate": architecture.frame_rate,
        "window_s": architecture.window_s,
        "faces_in_training": training.get("config", {}).get("data", {}).get("faces"),
        "temperature_applied": training.get("calibration", {}).get("temperature"),
    }
    known = {name: value for name, value in facts.items() if value is not None}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in known.items()}
    # Names of folders may hold bytes that are no text.
    return {name: text.encode("utf-8", "replace").decode() for name, text in texts.items()}


def _steps_before(preprocess: Preprocess) -> list[str]:
    """What makes the graph's input out of a picture."""
    geometry = preprocess.geometry
    level = ", turned so that the eyes lie level" if geometry.align else ""
    steps = [
        "find the face",
        f"cut out a square, {geometry.margin:g} times as wide as the longer side of the face's box, its middle "
        f"{geometry.shift_up:g} of that side above the box's{level}",
        f"scale it to {preprocess.size} x {preprocess.size} pixels",
    ]
    if preprocess.channels == 1:
        red, green, blue = GREYS[preprocess.grey]
        steps.append(f"make it grey: {red} R + {green} G + {blue} B")
    else:
        steps.append("put its planes in the order red, green, blue")
    if preprocess.equalize:
        steps.append("equalise its histogram, as cv2.equalizeHist does")
    if preprocess.edges:
        steps.append("add a second plane, 255 where seqfer.edges.canny finds an edge in the first, 0 elsewhere")
    return steps


class _Graph(nn.Module):
    """What the file computes."""

    def __init__(self, model: SequenceClassifier) -> None:
        super().__init__()
        self._preprocess = model.architecture.preprocess
        self._embedding_dim = model.embedding_dim
        self.encoder = model.encoder
        self.head = model.head

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:  # (B, T, C, H, W) -> (B, T, K), (B, K)
        clips, length = frames.shape[:2]
        planes = self._preprocess.scale(frames.flatten(0, 1).float() / 255)
        embeddings = self.encoder(planes).reshape(clips, length, self._embedding_dim)
        if isinstance(self.head, BiLSTMHead):
            output = _read_unpacked(self.head, embeddings)
        else:
            output = self.head(embeddings, torch.full((clips,), length))
        return output.frame_logits.softmax(2), output.clip_logits.softmax(1)


def _read_unpacked(head: BiLSTMHead, embeddings: Tensor) -> SequenceOutput:
    """What a BiLSTM head says of clips of one length, without the packed sequences that ONNX lacks."""
    lstm = head.lstm
    # Spelt out, because the exporter would take the number of clips in an LSTM's own first state for a constant.
    start = embeddings.new_zeros(2 * lstm.num_layers, embeddings.shape[0], lstm.hidden_size)
    context = lstm(head.norm(embeddings), (start, start))[0]
    return head.read(embeddings, context, torch.ones_like(embeddings[:, :, 0], dtype=torch.bool))


def _traced(model: SequenceClassifier) -> bytes:
    """The graph of a model, with B and T free."""
    free = {0: "clips", 1: "frames"}
    graph = io.BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        # The exporter warns that it is the older one, and of what the check would find.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Graph(model).eval(),
            (_crops(model.architecture.preprocess, *TRACED),),
            graph,  # type: ignore[arg-type]
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamic_axes={INPUT: free, OUTPUTS[0]: free, OUTPUTS[1]: {0: "clips"}},
            dynamo=False,  # the newer one needs more packages and 15 s, and says that T is fixed
        )
    return graph.getvalue()


@torch.inference_mode()
def _checked(graph: bytes, model: SequenceClassifier, name: str, onnx: Any, runtime: Any) -> float:
    """The largest difference in probability between a graph and the model that it was made from.

    Raises:
        ModelError: the graph is malformed, or the difference too large.
    """
    runtime.disable_telemetry_events()  # which its builds for Windows have
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what is wrong is said here
    batches = [_crops(model.architecture.preprocess, clips, length) for clips, length in CHECKED]
    try:
        onnx.checker.check_model(graph, full_check=True)
        session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        answers = [session.run(OUTPUTS, {INPUT: crops.numpy()}) for crops in batches]
    except Exception as error:  # both packages have errors of every kind
        raise ModelError(f"{name}: the ONNX file does not work ({one_line(error)}); none was written") from error
    largest = 0.0
    for crops, answer in zip(batches, answers, strict=True):
        clips, length = crops.shape[:2]
        planes = model.architecture.preprocess.scale(crops.flatten(0, 1).float() / 255).view(crops.shape)
        output = model(planes, torch.full((clips,), length))
        for what, logits, found in zip(OUTPUTS, (output.frame_logits, output.clip_logits), answer, strict=True):
            same_shape = found.shape == logits.shape
            difference = (
                float((logits.softmax(-1) - torch.from_numpy(found)).abs().max()) if same_shape else math.inf
            )
            if not difference <= TOLERANCE:  # also where it is not a number
                raise ModelError(
                    f"{name}: for {clips} x {length} frames ONNX Runtime's {what} differ from PyTorch's by "
                    f"{difference:.4f}, more than {TOLERANCE:g}; no ONNX file was written"
                )
            largest = max(largest, difference)
    return largest


def _crops(preprocess: Preprocess, clips: int, length: int) -> Tensor:
    """Random pictures (B, T, C, H, W) uint8, as smooth as faces are."""
    coarse = torch.rand(clips * length, preprocess.input_planes, 6, 6, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.interpolate(coarse, size=preprocess.size, mode="bicubic").clamp(0, 1)
    return (smooth * 255).round().byte().view(clips, length, *smooth.shape[1:])


def _package(name: str, path: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise OutputError(
            path, f"cannot be made without {name} ({one_line(error)}); pip install 'seqfer[export]'"
        ) from error
