#!/usr/bin/env python
"""How fast a model's encoder reads faces on the CPU, in every way that PyTorch and ONNX Runtime offer.

    python benchmarks/encoder_speed.py compact --cores 2

`annotate` reads them as "folded" does (eagerly, batch norms folded into convolutions, channels last), and in
bfloat16 on CPUs with instructions for it. Each way takes turns with "folded", so that a busy machine slows
both; a ratio is the median over rounds of the two speeds' own. "off by" is the largest difference of a
probability. A way that this machine cannot go is left out: "compiled" needs a C++ compiler, "onnxruntime" the
packages of `pip install 'seqfer[export]'`.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import warnings
from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from seqfer.cli.console import errors_on_one_line
from seqfer.machine import usable_cores
from seqfer.models.bundled import load_model
from seqfer.models.classifier import SequenceClassifier
from seqfer.models.folding import folded
from seqfer.preprocess import Preprocess

CONSOLE = Console(width=120)
FOLDED = "folded"
Way = Callable[[Tensor], Tensor]  # (N, C, H, W) images to (N, D) embeddings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="compact", help="a bundled model or a model's folder")
    parser.add_argument("--cores", type=int, help="use only so many CPU cores (Linux)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32, 256], metavar="FACES")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    if options.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
        torch.set_num_threads(options.cores)
    model = load_model(options.model).model
    preprocess = model.architecture.preprocess
    table = Table("way", "off by", *(f"{count} at once: faces/s, ratio" for count in options.batches))
    faces = crops_of(preprocess, max(options.batches))
    expected = probabilities(model, model.encoder, faces)
    for name, make in WAYS.items():
        try:
            way = make(model.encoder, preprocess.planes(faces[:2]))
            off = float((probabilities(model, way, faces) - expected).abs().max())
        except Exception as error:  # whatever a compiler or another runtime says of this machine
            CONSOLE.print(f"{name}: {type(error).__name__}: {str(error).partition(chr(10))[0][:80]}")
            continue
        cells = []
        for count in options.batches:
            speeds = turns(model, way, faces[:count], options.rounds)
            own, ratio = (float(np.median(values)) for values in (speeds[:, 0], speeds[:, 0] / speeds[:, 1]))
            cells.append(f"{own:,.0f}  {ratio:.2f}")
        table.add_row(name, f"{off:.0e}", *cells)
    CONSOLE.print(f"{options.model}, {usable_cores()} cores, {torch.get_num_threads()} threads")
    CONSOLE.print(table)


def crops_of(preprocess: Preprocess, count: int) -> Tensor:
    """(count, S, S, C) uint8 crops of noise: speed does not depend on what is seen."""
    shape = (count, preprocess.size, preprocess.size, preprocess.channels)
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


@torch.inference_mode()
def probabilities(model: SequenceClassifier, way: Way | nn.Module, crops: Tensor) -> Tensor:
    """(N, K) of faces, each read alone."""
    embeddings = way(prepared(model, crops))
    alone = torch.ones(len(crops), dtype=torch.int64)
    logits: Tensor = model.head(embeddings.float()[:, None], alone).clip_logits
    return logits.softmax(1)


def prepared(model: SequenceClassifier, crops: Tensor) -> Tensor:
    return model.architecture.preprocess(crops).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def turns(model: SequenceClassifier, way: Way, crops: Tensor, rounds: int) -> NDArray[np.float64]:
    """(rounds, 2) faces per second, of a way and of the folded encoder, preprocessing included."""
    times = []
    both = way, eager(model.encoder, crops)
    for number in range(rounds + 2):
        took = []
        for one in both:
            start = perf_counter()
            one(prepared(model, crops))
            took.append(perf_counter() - start)
        if number >= 2:  # the first ones still choose their kernels
            times.append(took)
    return len(crops) / np.array(times)


def eager(encoder: nn.Module, _: Tensor) -> Way:
    ready: nn.Module = folded(encoder).to(memory_format=torch.channels_last)
    return ready


def unfolded(encoder: nn.Module, _: Tensor) -> Way:
    return encoder.to(memory_format=torch.channels_last)


def bfloat16(encoder: nn.Module, _: Tensor) -> Way:
    ready = folded(encoder).to(memory_format=torch.channels_last).bfloat16()
    return lambda images: ready(images.bfloat16())


def frozen(encoder: nn.Module, example: Tensor) -> Way:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out, and says so
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            folded(encoder), example.contiguous(memory_format=torch.channels_last)
        )
        ready: Way = torch.jit.optimize_for_inference(torch.jit.freeze(traced.eval()))
    return ready


def compiled(encoder: nn.Module, _: Tensor) -> Way:
    ready: Way = torch.compile(folded(encoder).to(memory_format=torch.channels_last), dynamic=False)
    return ready


def onnxruntime(encoder: nn.Module, example: Tensor) -> Way:
    runtime = importlib.import_module("onnxruntime")
    graph = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            encoder,
            (example,),
            graph,  # type: ignore[arg-type]
            input_names=["images"],
            dynamic_axes={"images": {0: "n"}},
            dynamo=False,
        )
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    # Its threads would go on spinning for a while in the others' turns.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = runtime.InferenceSession(graph.getvalue(), settings, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.contiguous().numpy()})[0])


WAYS: dict[str, Callable[[nn.Module, Tensor], Way]] = {
    FOLDED: eager,
    "unfolded": unfolded,
    "bfloat16": bfloat16,
    "frozen": frozen,
    "compiled": compiled,
    "onnxruntime": onnxruntime,
}


if __name__ == "__main__":
    with errors_on_one_line():
        main()
