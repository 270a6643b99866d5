#!/usr/bin/env python
"""Train the bundled `compact` model from FER-2013: first the encoder on stills, then the head on clips of them.

    python scripts/train_compact.py --fer2013 fer2013.zip --run runs/compact

The model is chosen on PublicTest and comes to lie in RUN/head/best. Stopped and started again, it goes on after
the last finished epoch. On two CPU cores it takes about an hour and a half.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from seqfer import __version__
from seqfer.datasets.fer2013 import StillSet, load_fer2013, without_repeats
from seqfer.models.checkpoint import load_checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.inference import DEVICES, choose_device
from seqfer.training.encoder import EncoderRecipe, train_encoder
from seqfer.training.head import HeadRecipe, train_head, with_head

ENCODER = {"stem_width": 32, "widths": (48, 128, 256, 256), "blocks": (1, 1, 1, 1)}
HEAD = {"width": 64, "layers": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fer2013", type=Path, required=True, help="fer2013.csv, class folders, or a zip of them")
    parser.add_argument("--run", type=Path, default=Path("runs/compact"), help="folder of the run")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--epochs", type=int, default=EncoderRecipe.epochs, help="of the encoder")
    parser.add_argument("--steps", type=int, default=HeadRecipe.steps, help="of the head")
    options = parser.parse_args()
    device = choose_device(options.device)
    data = load_fer2013(options.fer2013)
    train = without_repeats(data["train"], data["validation"], data["test"])
    validation = without_repeats(data["validation"], data["test"])
    for name, used, split in (("Training", train, "train"), ("PublicTest", validation, "validation")):
        print(f"{len(used)} of {len(data[split])} stills of {name}; the others repeat held-out ones")
    record = {
        "data": "FER-2013 Training, without the stills that repeat one of PublicTest or PrivateTest",
        "data_sha256": train.sha256(),
        "stills": len(train),
        "chosen_on": "FER-2013 PublicTest, without the stills that repeat one of PrivateTest",
        "versions": {"seqfer": __version__, "torch": torch.__version__},
    }
    recipe = EncoderRecipe(epochs=options.epochs)
    run_encoder(train, validation, recipe, options.run / "encoder", device, record)
    run_head(train, validation, HeadRecipe(steps=options.steps), options.run, device)
    print(f"the model lies in {options.run / 'head' / 'best'}")


def run_encoder(
    train: StillSet,
    validation: StillSet,
    recipe: EncoderRecipe,
    run: Path,
    device: torch.device,
    record: dict[str, object],
) -> None:
    torch.manual_seed(recipe.seed)
    model = SequenceClassifier(Architecture(encoder_settings=ENCODER, head="mean", head_settings={"dropout": 0.3}))
    for report in train_encoder(model, train, validation, recipe, run, device, record):
        figures = report.validation
        print(
            f"epoch {report.epoch:3d}  loss {report.loss:.4f}  PublicTest accuracy {figures.accuracy:.4f}"
            f"  UAR {figures.uar:.4f}{' *' if report.best else '  '} {report.seconds:.0f} s",
            flush=True,
        )


def run_head(train: StillSet, validation: StillSet, recipe: HeadRecipe, run: Path, device: torch.device) -> None:
    encoder = load_checkpoint(run / "encoder" / "best")
    torch.manual_seed(recipe.seed)
    model = with_head(encoder.model, "bilstm", **HEAD)
    for report in train_head(model, train, validation, recipe, run / "head", device, encoder.provenance.training):
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
