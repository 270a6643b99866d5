"""The settings of a forest on selected features: typed, documented, checked where they are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from seqfer.errors import OptionError
from seqfer.models.encoders import ENCODERS
from seqfer.preprocess import CropGeometry, Preprocess

Free = dict[str, Any]  # settings whose keys depend on another one


@dataclass(frozen=True)
class FeatureConfig:
    """Which network's maps are the features of a frame.

    Attributes:
        encoder: mobilenet_v2, resnet18, resnet50, compact or vgg.
        encoder_settings: its arguments beyond the channels, as `widths` of compact and vgg.
        size: side of the square face crops, in pixels.
        channels: 1 for grey, 3 for colour.
        geometry: the part of the frame around a detected face that a crop shows.
        scaling: image standardises each crop by its own mean and deviation; unit leaves values in [0, 1].
        weights: imagenet (torchvision's, downloaded once); scratch (random, with norms that fit the training
            frames); or a bundled model's name or a model's folder, whose encoder and way to read pictures are then
            taken instead of all of the above. None of them learns.
    """

    encoder: str = "mobilenet_v2"
    encoder_settings: Free = field(default_factory=dict)
    size: int = 48
    channels: int = 3
    geometry: CropGeometry = field(default_factory=CropGeometry)
    scaling: Literal["image", "unit"] = "image"
    weights: str = "imagenet"

    def __post_init__(self) -> None:
        if self.encoder not in ENCODERS:
            raise OptionError(f"unknown encoder {self.encoder!r}; known: {', '.join(ENCODERS)}")
        _ = self.preprocess  # which says of its own ranges what is wrong with them

    @property
    def preprocess(self) -> Preprocess:
        """From face crop to network input."""
        return Preprocess(self.size, self.channels, self.geometry, scaling=self.scaling)


@dataclass(frozen=True)
class DataConfig:
    """How clips become face crops.

    Attributes:
        faces: how faces are found: mediapipe or haar; none for pictures that show a face alone, taken whole.
        picture_rate: pictures per second of clips that are made of pictures.
    """

    faces: Literal["mediapipe", "haar", "none"] = "mediapipe"
    picture_rate: float = 25.0

    def __post_init__(self) -> None:
        if not 0 < self.picture_rate < 10_000:
            raise OptionError(f"data.picture_rate must lie in (0, 10000), not {self.picture_rate}")


@dataclass(frozen=True)
class SmoteConfig:
    """Synthetic samples of the rarer expressions (Chawla et al., JAIR 2002), made of the training features alone.

    Attributes:
        on: make every expression as frequent as the most frequent one.
        neighbours: of a sample, towards one of which a synthetic sample is made.
    """

    on: bool = True
    neighbours: int = 5

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise OptionError(f"smote.neighbours must be at least 1, not {self.neighbours}")


@dataclass(frozen=True)
class SelectionConfig:
    """The ant colony that chooses features; `seqfer.classic.ants` says what it does.

    Attributes:
        on: choose features; else the forest gets all.
        ants: that walk in each iteration, each to a subset of its own.
        alpha: exponent of the pheromone.
        beta: exponent of the desirability, what a feature is worth to a forest.
        iterations: after each of them the best subset so far gets pheromone.
        q0: chance that an ant takes the best feature left instead of drawing one.
        decay: share of the pheromone that evaporates, and that the best subset gets, after an iteration.
        rows: training samples to judge by, drawn as evenly from the expressions as they allow.
        neighbours: of a sample, whose expressions tell how good a subset is.
        trees: of the forest that tells what features are worth.
    """

    on: bool = True
    ants: int = 20
    alpha: float = 1.1
    beta: float = 1.5
    iterations: int = 3
    q0: float = 0.9
    decay: float = 0.2
    rows: int = 2000
    neighbours: int = 3
    trees: int = 500

    def __post_init__(self) -> None:
        for name in ("ants", "iterations", "neighbours", "trees"):
            if getattr(self, name) < 1:
                raise OptionError(f"selection.{name} must be at least 1, not {getattr(self, name)}")
        for name in ("alpha", "beta"):
            if getattr(self, name) < 0:
                raise OptionError(f"selection.{name} must not be negative, not {getattr(self, name)}")
        if not 0 <= self.q0 <= 1 or not 0 < self.decay < 1:
            raise OptionError("selection.q0 must lie in [0, 1] and selection.decay in (0, 1)")
        if self.rows < 10:
            raise OptionError(f"selection.rows must be at least 10, not {self.rows}")


@dataclass(frozen=True)
class ForestConfig:
    """The random forest (Breiman, 2001) that tells expressions apart.

    Attributes:
        trees: grown to the end, each on a bootstrap sample.
    """

    trees: int = 90

    def __post_init__(self) -> None:
        if self.trees < 1:
            raise OptionError(f"forest.trees must be at least 1, not {self.trees}")


@dataclass(frozen=True)
class ClassicConfig:
    """A forest on selected features of a frozen network.

    Attributes:
        features: which network's maps are the features of a frame.
        data: how clips become face crops.
        smote: synthetic samples of the rarer expressions.
        selection: the ant colony that chooses features.
        forest: what tells expressions apart.
        seed: of everything that is drawn.
    """

    features: FeatureConfig = field(default_factory=FeatureConfig)
    data: DataConfig = field(default_factory=DataConfig)
    smote: SmoteConfig = field(default_factory=SmoteConfig)
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    forest: ForestConfig = field(default_factory=ForestConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise OptionError(f"seed must lie in [0, 2^32), not {self.seed}")
