#!/usr/bin/env python
"""Train the bundled `compact` model from FER-2013: first the encoder on stills, then the head on clips of them.

    python scripts/train_compact.py FER2013 -o runs/compact

FER2013 is its folder, with train/, validation/ and test/ in it, or fer2013.csv. Training stills that repeat a
held-out one, also as another crop or compression of the same photo, are left out, and so are stills of PublicTest
that repeat one of PrivateTest. PublicTest chooses the epoch and the step, and calibrates; PrivateTest is not
looked at. The model comes to lie in RUN/compact. Stopped and started again, it goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from typer.main import get_command

from seqfer.cli.main import app
from seqfer.datasets.fer2013 import stills_of
from seqfer.datasets.opening import open_clips
from seqfer.models.checkpoint import load_checkpoint, save_checkpoint
from seqfer.models.inference import DEVICES, choose_device
from seqfer.training.head import HeadRecipe, train_head, with_head

HEAD = {"width": 64, "layers": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fer2013", type=Path, help="the data set's folder, or fer2013.csv")
    parser.add_argument("-o", "--run", type=Path, default=Path("runs/compact"), help="folder of the run")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change an encoder's setting"
    )
    parser.add_argument("--steps", type=int, default=HeadRecipe.steps, help="of the head")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    options = parser.parse_args()
    run: Path = options.run
    listed, clean, encoder = run / "fer2013.csv", run / "clean.csv", run / "encoder"
    run.mkdir(parents=True, exist_ok=True)
    if not clean.exists():
        seqfer("manifest", "fer2013", options.fer2013, "-o", listed, "--overwrite")
        seqfer("audit", listed, "--write", clean)
    changes = [word for change in options.set for word in ("--set", change)]
    device = ("--device", options.device)
    seqfer("train", "compact", "--data", clean, "-o", encoder, "--resume", *device, *changes)
    train_clips(
        encoder / "best", clean, HeadRecipe(steps=options.steps), run / "head", choose_device(options.device)
    )
    seqfer("calibrate", run / "head" / "best", "--data", clean, "-o", run / "compact", *device)
    model = load_checkpoint(run / "compact")
    save_checkpoint(run / "compact", model.model, model.provenance, torch.float16)


def seqfer(*arguments: object) -> None:
    """Run a command of seqfer's in this process, and show it."""
    words = [str(argument) for argument in arguments]
    print("$ seqfer", *words, flush=True)
    get_command(app).main(words, standalone_mode=False)


def train_clips(start: Path, data: Path, recipe: HeadRecipe, run: Path, device: torch.device) -> None:
    """Train the temporal head over an encoder that stays as it is."""
    encoder = load_checkpoint(start)
    packed, _ = open_clips(data, encoder.model.architecture.preprocess, "none")
    train, validation = (stills_of(packed, split) for split in ("train", "validation"))
    torch.manual_seed(recipe.seed)
    model = with_head(encoder.model, "bilstm", **HEAD)
    for report in train_head(model, train, validation, recipe, run, device, encoder.provenance.training):
        v = report.validation
        print(
            f"step {report.step:4d}  loss {report.loss:.4f}  clips of PublicTest: accuracy {v.clip_accuracy:.4f} "
            f"(mean of frames {v.clip_accuracy_of_means:.4f}), frames {v.frame_accuracy:.4f} "
            f"(alone {v.frame_accuracy_alone:.4f}), label changes per second {v.changes_per_s:.2f} "
            f"(alone {v.changes_per_s_alone:.2f}){' *' if report.best else '  '} {report.seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
