"""The five papers as systems to run: what each reports, what data it needs, and the commands that run it.

Nothing of a paper is left out because it is odd: its own protocol stands beside an honest one, in which no person
and no picture is on two sides of a split, and validation alone chooses.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from seqfer.errors import OptionError
from seqfer.papers.steps import cleaned, crossed, manifest, measured, set_options, swept, train_and_measure
from seqfer.papers.types import Paper, Protocol, Step

Recipe = Callable[[Path, Path, tuple[str, ...]], list[Step]]


def _fer2013(out: Path, data: Path, clean: bool) -> tuple[Path, list[Step]]:
    """FER-2013's manifest, as published or without repeats, and how it is made."""
    steps = [manifest("fer2013", data, out, "official")]
    return (out / "clean.csv", [*steps, cleaned(out)]) if clean else (out / "manifest.csv", steps)


P1 = {"transfer": "p1-resnet50-transfer", "scratch": "p1-resnet50-scratch"}


def _p1_paper(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
    steps = [manifest("ckplus48", data, out, "image:80/20")]
    return steps + train_and_measure(P1, out / "manifest.csv", out, changes)


def _p1_honest(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
    steps = [manifest("ckplus48", data, out, "kfold:10")]
    return steps + [crossed(config, out / "manifest.csv", out / name, changes) for name, config in P1.items()]


P2 = {"compact-cnn": "p2-compact-cnn"}
CHOSEN = ("data.with_validation=false", "select=accuracy")


def _p2_paper(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
    manifest, steps = _fer2013(out, data, clean=False)
    return steps + train_and_measure(P2, manifest, out, changes)


def _p2_honest(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
    manifest, steps = _fer2013(out, data, clean=True)
    return steps + train_and_measure(P2, manifest, out, (*CHOSEN, *changes))


def _p2_optimizers(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
    manifest, steps = _fer2013(out, data, clean=True)
    return [*steps, swept("p2-optimizers.sweep", manifest, out / "sweep", changes)]


HERO = {f"hero-{depth}": f"p3-hero-{depth}" for depth in ("shallow", "middle", "deep")}


def _p3(clean: bool) -> Recipe:
    def steps(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
        manifest, found = _fer2013(out, data, clean)
        found += train_and_measure({"cnn-bilstm": "p3-cnn-bilstm"}, manifest, out, changes)
        found += train_and_measure(HERO, manifest, out, changes)
        members = tuple(str(out / name / "best") for name in HERO)
        hero, evaluation = out / "hero", out / "hero-evaluation"
        found.append(
            Step(("ensemble", *members, "-o", str(hero), "--overwrite"), hero / "model.json", repeat=True)
        )
        found.append(measured(hero, manifest, evaluation))
        both = (str(evaluation), str(out / "cnn-bilstm-evaluation"))
        place = out / "comparison"
        found.append(
            Step(("compare", *both, "-o", str(place), "--overwrite"), place / "matrices.png", repeat=True)
        )
        return found

    return steps


P3 = {"CNN-BiLSTM": "cnn-bilstm-evaluation", "HERO-style": "hero-evaluation"}


def _p4(clean: bool) -> Recipe:
    def steps(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
        manifest, found = _fer2013(out, data, clean)
        for name, own in (("without-smote", ("smote.on=false",)), ("with-smote", ())):
            fit = ("classic", "fit", "papers/p4-mobilenet-forest", "--data", str(manifest), "-o", str(out / name))
            found.append(Step((*fit, *set_options((*own, *changes))), out / name))
            evaluate = ("classic", "evaluate", str(out / name), "--data", str(manifest), "--overwrite")
            place = out / f"{name}-evaluation"
            found.append(Step((*evaluate, "-o", str(place)), place / "metrics.json", repeat=True))
        place = out / "resampled-evaluation"
        found.append(Step((*evaluate, "-o", str(place), "--resample-test"), place / "metrics.json", repeat=True))
        return found

    return steps


P4 = {
    "before SMOTE": "without-smote-evaluation",
    "after SMOTE": "with-smote-evaluation",
    "after SMOTE, test set resampled too": "resampled-evaluation",
}
P5 = {"resnet50": "p5-resnet50"}


def _p5(split: str) -> Recipe:
    def steps(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
        found = [manifest("liris-cse", data, out, split)]
        return found + train_and_measure(P5, out / "manifest.csv", out, changes, "--mistakes", "24")

    return steps


def _p5_child(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
    found = [manifest("liris-cse", data, out, "kfold:12")]
    return [*found, crossed("p5-resnet50", out / "manifest.csv", out / "resnet50", changes)]


def _p5_grids(data: Path, out: Path, changes: tuple[str, ...]) -> list[Step]:
    found = [manifest("liris-cse", data, out, "image:70/15/15")]
    grids = ("epochs-batch", "rate-batch")
    return found + [swept(f"p5-{name}.sweep", out / "manifest.csv", out / name, changes) for name in grids]


PAPERS: dict[str, Paper] = {
    paper.name: paper
    for paper in (
        Paper(
            "p1",
            "ResNet-50 by transfer learning on CK+48",
            "ckplus48",
            "accuracy 99.49 % with transfer, 95.41 % from scratch",
            (
                Protocol(
                    "paper",
                    "80/20 by images, the last of 8 epochs",
                    _p1_paper,
                    {name: f"{name}-evaluation" for name in P1},
                ),
                Protocol(
                    "honest",
                    "10 folds by subject, the last of 8 epochs",
                    _p1_honest,
                    {name: f"{name}/evaluation" for name in P1},
                ),
            ),
        ),
        Paper(
            "p2",
            "A compact CNN on FER-2013",
            "fer2013",
            "accuracy 73.06 %, with training and validation joined 88.29 %",
            (
                Protocol(
                    "paper",
                    "training and validation joined, the last epoch",
                    _p2_paper,
                    {"compact CNN": "compact-cnn-evaluation"},
                ),
                Protocol(
                    "honest",
                    "repeats left out of training, the epoch chosen on PublicTest",
                    _p2_honest,
                    {"compact CNN": "compact-cnn-evaluation"},
                ),
                Protocol(
                    "optimizers", "its comparison of optimisers and schedules, on PublicTest", _p2_optimizers, {}
                ),
            ),
        ),
        Paper(
            "p3",
            "CNN-BiLSTM with attention against HERO on FER-2013",
            "fer2013",
            "precision, recall and F1 by class, two confusion matrices",
            (
                Protocol("paper", "the published split, the epoch chosen on PublicTest", _p3(clean=False), P3),
                Protocol(
                    "honest",
                    "repeats left out of training, the epoch chosen on PublicTest",
                    _p3(clean=True),
                    P3,
                ),
            ),
        ),
        Paper(
            "p4",
            "MobileNetV2 features, SMOTE, ant colony, random forest on FER-2013",
            "fer2013",
            "accuracy 35 % before SMOTE, 49.7 % after",
            (
                Protocol("paper", "the published split; nothing is chosen", _p4(clean=False), P4),
                Protocol("honest", "repeats left out of training; nothing is chosen", _p4(clean=True), P4),
            ),
        ),
        Paper(
            "p5",
            "ResNet-50 on LIRIS-CSE",
            "liris-cse",
            "accuracy 99.89 %",
            (
                Protocol(
                    "paper",
                    "70/15/15 by frames, the lowest validation loss",
                    _p5("image:70/15/15"),
                    {"ResNet-50": "resnet50-evaluation"},
                ),
                Protocol(
                    "clip",
                    "70/15/15 by clips: the same children on both sides",
                    _p5("clip:70/15/15"),
                    {"ResNet-50": "resnet50-evaluation"},
                ),
                Protocol(
                    "honest",
                    "12 folds by child, another child choosing the epoch",
                    _p5_child,
                    {"ResNet-50": "resnet50/evaluation"},
                ),
                Protocol("grids", "its tables of epochs, learning rates and batches, by frames", _p5_grids, {}),
            ),
        ),
    )
}


def paper_of(name: str) -> Paper:
    """A paper by its name.

    Raises:
        OptionError: there is none of that name.
    """
    if name not in PAPERS:
        raise OptionError(f"unknown paper {name!r}; known: {', '.join(PAPERS)}")
    return PAPERS[name]
