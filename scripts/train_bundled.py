#!/usr/bin/env python
"""Train a bundled model from FER-2013 as the package's own was.

    python scripts/train_bundled.py compact FER2013 -o runs/bundled
    python scripts/train_bundled.py accurate FER2013 -o runs/bundled

FER2013 is its folder, with train/, validation/ and test/ in it, or fer2013.csv. For `compact` two networks are
trained alone (`configs/teacher.yaml`); their ensemble teaches a small one (`configs/compact.yaml`), which with a
temporal head is it. `accurate` is that small one and a network that is trained alone (`configs/accurate.yaml`) as
an ensemble with a head, which in the end reads mirror images too. Given the same folder, the second command finds
what the first has trained.

Training stills that repeat a held-out one, also as another crop or compression of the same photo, are left out,
and so are stills of PublicTest that repeat one of PrivateTest. PublicTest chooses epochs and steps, and
calibrates; PrivateTest is not looked at. The model comes to lie in RUN/MODEL. Stopped and started again, it goes
on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from typer.main import get_command

from seqfer.cli.console import errors_on_one_line
from seqfer.cli.main import app
from seqfer.datasets.fer2013 import stills_of
from seqfer.datasets.opening import open_clips
from seqfer.models.checkpoint import load_checkpoint, save_checkpoint
from seqfer.models.ensemble import with_mirror_images
from seqfer.models.inference import DEVICES, choose_device
from seqfer.training.head import HeadRecipe, train_head, with_head

MODELS = ("compact", "accurate")
HEAD = {"width": 64, "layers": 1, "reach": 25, "calm": 0.1}  # a second on either side
# How the teachers differ from each other: chance, and what they are disturbed by.
BROAD = (
    "augmentation.rotation_deg=15",
    "augmentation.shift=0.12",
    "augmentation.gamma=0.2",
    "augmentation.shade=0",
    "augmentation.blur=0.1",
    "augmentation.noise=0",
    "augmentation.occlusion=0.4",
)
TEACHERS = (("seed=0",), ("seed=1", *BROAD))
TAUGHT = ("teacher.once=true", "teacher.share=0.75", "teacher.temperature=1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("fer2013", type=Path, help="the data set's folder, or fer2013.csv")
    parser.add_argument("-o", "--run", type=Path, default=Path("runs/bundled"), help="folder of the run")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of all networks"
    )
    parser.add_argument("--steps", type=int, help="of the head")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    options = parser.parse_args()
    run: Path = options.run
    device = ("--device", options.device)
    clean = clean_list(options.fer2013, run)

    def trained(config: str, name: str, *settings: str) -> Path:
        """A network of the run, trained as far as it is not yet."""
        folder = run / name
        words = [word for setting in (*settings, *options.set) for word in ("--set", setting)]
        seqfer("train", config, "--data", clean, "-o", folder, "--resume", *device, *words)
        return folder / "best"

    teachers = [trained("teacher", f"networks/{k}", *own) for k, own in enumerate(TEACHERS)]
    teacher = run / "teacher"
    seqfer("ensemble", *teachers, "-o", teacher, "--mirrored", "--overwrite")
    pupil = trained("compact", "pupil", f"teacher.model={teacher}", *TAUGHT)
    encoder = run / "compact-encoder"
    seqfer("calibrate", pupil, "--data", clean, "-o", encoder, "--overwrite", *device)
    if options.model == "accurate":
        both = (trained("accurate", "networks/accurate", "seed=2"), encoder)
        encoder = run / "accurate-encoder"
        seqfer("ensemble", *both, "-o", encoder, "--overwrite")
        seqfer("calibrate", encoder, "--data", clean, *device)
    recipe = HeadRecipe() if options.steps is None else HeadRecipe(steps=options.steps)
    head = run / f"{options.model}-head"
    train_clips(encoder, clean, recipe, head, choose_device(options.device))
    best = load_checkpoint(head / "best")
    model = with_mirror_images(best.model) if options.model == "accurate" else best.model
    save_checkpoint(run / options.model, model, best.provenance, torch.float16)


def clean_list(fer2013: Path, run: Path) -> Path:
    """The manifest of FER-2013's stills without those that repeat a held-out one."""
    listed, clean = run / "fer2013.csv", run / "clean.csv"
    run.mkdir(parents=True, exist_ok=True)
    clean.unlink(missing_ok=True)
    seqfer("manifest", "fer2013", fer2013, "-o", listed, "--overwrite")
    seqfer("audit", listed, "--write", clean, makes=clean)
    return clean


def seqfer(*arguments: object, makes: Path | None = None) -> None:
    """Run a command of seqfer's in this process, and show it; if it fails but `makes` is there, that is enough."""
    words = [str(argument) for argument in arguments]
    print("$ seqfer", *words, flush=True)
    if (code := get_command(app).main(words, standalone_mode=False)) and not (makes and makes.exists()):
        sys.exit(code)  # interrupted: what follows would be made from half of it


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
            f"step {report.step:4d}  loss {report.loss:.4f}  clips of PublicTest: log loss {v.log_loss:.4f}, "
            f"accuracy {v.clip_accuracy:.4f} (mean of frames {v.clip_accuracy_of_means:.4f}), "
            f"frames {v.frame_accuracy:.4f} (alone {v.frame_accuracy_alone:.4f}), "
            f"label changes per second {v.changes_per_s:.2f} (alone {v.changes_per_s_alone:.2f})"
            f"{' *' if report.best else '  '} {report.seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    with errors_on_one_line():
        main()
