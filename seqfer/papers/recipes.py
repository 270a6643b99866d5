"""Each paper's recipes: the commands that teach and measure its systems, as the paper does and honestly."""

from __future__ import annotations

from pathlib import Path

from seqfer.papers.steps import (
    cleaned,
    crossed,
    fitted,
    manifest,
    measured,
    swept,
    train_and_measure,
    trained,
)
from seqfer.papers.types import Recipe, Step


def _fer2013(out: Path, data: Path, clean: bool) -> tuple[Path, list[Step]]:
    """FER-2013's manifest, as published or without repeats, and how it is made."""
    steps = [manifest("fer2013", data, out, "official")]
    return (out / "clean.csv", [*steps, cleaned(out)]) if clean else (out / "manifest.csv", steps)


P1 = {"transfer": "p1-resnet50-transfer", "scratch": "p1-resnet50-scratch"}


def p1(by_subject: bool) -> Recipe:
    """Transfer and scratch, by images or in folds by subject."""

    def steps(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
        # Images in both, so that the split is all that differs: as many of them make a batch and an epoch.
        found = [manifest("ckplus48", data, out, "kfold:10" if by_subject else "image:80/20", "--images")]
        for name, config in P1.items():
            # Whatever the transfer begins with, the other one begins with nothing.
            own = (*changes, "start.weights=scratch") if name == "scratch" else changes
            if by_subject:
                found.append(crossed(config, out / "manifest.csv", out / name, own))
            else:
                found += train_and_measure({name: config}, out / "manifest.csv", out, own)
        return found

    return steps


P2 = {"compact-cnn": "p2-compact-cnn"}


def p2_paper(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
    """Training and validation joined."""
    clips, steps = _fer2013(out, data, clean=False)
    return steps + train_and_measure(P2, clips, out, changes)


def p2_honest(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
    """Repeats left out, training alone teaches."""
    clips, steps = _fer2013(out, data, clean=True)
    return steps + train_and_measure(P2, clips, out, ("data.with_validation=false", *changes))


def p2_optimizers(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
    """The comparison of optimisers and schedules."""
    clips, steps = _fer2013(out, data, clean=True)
    return [*steps, swept("p2-optimizers.sweep", clips, out / "sweep", changes)]


HERO = {f"hero-{depth}": f"p3-hero-{depth}" for depth in ("shallow", "middle", "deep")}


def p3(clean: bool) -> Recipe:
    """CNN-BiLSTM, the three networks of the ensemble, the ensemble, and both side by side."""

    def steps(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
        clips, found = _fer2013(out, data, clean)
        found += train_and_measure({"cnn-bilstm": "p3-cnn-bilstm"}, clips, out, changes)
        found += [trained(config, clips, out / name, changes) for name, config in HERO.items()]
        members = tuple(str(out / name / "best") for name in HERO)
        hero, evaluation = out / "hero", out / "hero-evaluation"
        found.append(
            Step(("ensemble", *members, "-o", str(hero), "--overwrite"), hero / "model.json", repeat=True)
        )
        found.append(measured(hero, clips, evaluation))
        both = (str(evaluation), str(out / "cnn-bilstm-evaluation"))
        place = out / "comparison"
        found.append(
            Step(("compare", *both, "-o", str(place), "--overwrite"), place / "matrices.png", repeat=True)
        )
        return found

    return steps


P3 = {"CNN-BiLSTM": "cnn-bilstm-evaluation", "HERO-style": "hero-evaluation"}


def p4(clean: bool) -> Recipe:
    """The forest without SMOTE, with it, and with the test set resampled as well."""

    def steps(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
        clips, found = _fer2013(out, data, clean)
        for name, own in (("without-smote", ("smote.on=false",)), ("with-smote", ())):
            found.append(fitted("p4-mobilenet-forest", clips, out / name, (*own, *changes)))
            found.append(measured(out / name, clips, out / f"{name}-evaluation", group=("classic",)))
        resampled = (out / "with-smote", clips, out / "resampled-evaluation", "--resample-test")
        return [*found, measured(*resampled, group=("classic",))]

    return steps


P4 = {
    "before SMOTE": "without-smote-evaluation",
    "after SMOTE": "with-smote-evaluation",
    "after SMOTE, test set resampled too": "resampled-evaluation",
}
P5 = {"resnet50": "p5-resnet50"}


def p5(split: str) -> Recipe:
    """ResNet-50 by frames or by clips, with a sheet of its mistakes."""

    def steps(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
        found = [manifest("liris-cse", data, out, split, "--images")]
        return found + train_and_measure(P5, out / "manifest.csv", out, changes, "--mistakes", "24")

    return steps


def p5_child(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
    """Every child measured by a model of the others."""
    found = [manifest("liris-cse", data, out, "kfold:12", "--images")]
    return [*found, crossed("p5-resnet50", out / "manifest.csv", out / "resnet50", changes)]


def p5_grids(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
    """The tables of epochs, learning rates and batches."""
    found = [manifest("liris-cse", data, out, "image:70/15/15")]
    grids = ("epochs-batch", "rate-batch")
    return found + [swept(f"p5-{name}.sweep", out / "manifest.csv", out / name, changes) for name in grids]
