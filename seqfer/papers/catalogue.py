"""The five papers as systems to run: what each reports, what data it needs, and how it is run.

Nothing of a paper is left out because it is odd: its own protocol stands beside an honest one, in which no known
person and no picture is on two sides of a split, and the test split chooses nothing.
"""

from __future__ import annotations

from seqfer.errors import OptionError
from seqfer.papers.recipes import (
    P1,
    P3,
    P4,
    p1,
    p2_honest,
    p2_optimizers,
    p2_paper,
    p3,
    p4,
    p5,
    p5_child,
    p5_grids,
)
from seqfer.papers.types import Paper, Protocol

REPEATS = "FER-2013's published split: pictures of PrivateTest stand in Training and PublicTest too"

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
                    "80/20 by images, the last epoch",
                    p1(by_subject=False),
                    {name: f"{name}-evaluation" for name in P1},
                ),
                Protocol(
                    "honest",
                    "10 folds by subject, the last epoch",
                    p1(by_subject=True),
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
                    p2_paper,
                    {"compact CNN": "compact-cnn-evaluation"},
                    REPEATS,
                ),
                Protocol(
                    "honest",
                    "training alone, repeats left out, the last epoch",
                    p2_honest,
                    {"compact CNN": "compact-cnn-evaluation"},
                ),
                Protocol(
                    "optimizers", "its comparison of optimisers and schedules, on PublicTest", p2_optimizers, {}
                ),
            ),
        ),
        Paper(
            "p3",
            "CNN-BiLSTM with attention against HERO on FER-2013",
            "fer2013",
            "precision, recall and F1 by class, two confusion matrices",
            (
                Protocol(
                    "paper", "the published split, the epoch chosen on PublicTest", p3(clean=False), P3, REPEATS
                ),
                Protocol(
                    "honest",
                    "repeats left out, the epoch chosen on PublicTest",
                    p3(clean=True),
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
                Protocol("paper", "the published split; nothing is chosen", p4(clean=False), P4, REPEATS),
                Protocol("honest", "repeats left out; nothing is chosen", p4(clean=True), P4),
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
                    p5("image:70/15/15"),
                    {"ResNet-50": "resnet50-evaluation"},
                ),
                Protocol(
                    "clip",
                    "70/15/15 by clips: the same children on both sides",
                    p5("clip:70/15/15"),
                    {"ResNet-50": "resnet50-evaluation"},
                ),
                Protocol(
                    "honest",
                    "12 folds by child, another child choosing the epoch",
                    p5_child,
                    {"ResNet-50": "resnet50/evaluation"},
                ),
                Protocol("grids", "its tables of epochs, learning rates and batches, by frames", p5_grids, {}),
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
