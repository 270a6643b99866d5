"""The settings of a training run: typed, documented, checked where they are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from seqfer.errors import OptionError
from seqfer.labels import LabelSet
from seqfer.models.classifier import Architecture
from seqfer.models.encoders import ENCODERS
from seqfer.models.heads import HEADS
from seqfer.preprocess import CropGeometry, Preprocess
from seqfer.training.augmentation import Strength

Free = dict[str, Any]  # settings whose keys depend on another one


@dataclass(frozen=True)
class ModelConfig:
    """What is trained.

    Attributes:
        encoder: compact, vgg, resnet18, resnet50, mobilenet_v2, or one that belongs to a paper: fernet,
            resnet50_flat.
        encoder_settings: arguments of the encoder beyond its channels, as `widths` of compact and vgg.
        head: bilstm, or mean, which reads each frame alone and a clip as the mean of its frames.
        head_settings: width, layers and dropout of bilstm; reach: neighbours on either side over which a frame's
            reading is averaged; calm: variance of the frames' own logits at which what comes before and after
            begins to count by half, 0 for always in full; dropout of mean.
        size: side of the square face crops, in pixels.
        channels: 1 for grey, 3 for colour.
        geometry: the part of the frame around a detected face that a crop shows.
        grey: the weights of red, green and blue in grey: bt601, or rgb2gray, as MATLAB rounds them.
        equalize: spread each grey crop's levels evenly (histogram equalisation).
        edges: give the network a second plane with the crop's edges (Canny).
        scaling: image standardises each crop by its own mean and deviation; unit leaves values in [0, 1].
        frame_rate: frames per second at which the head reads a clip.
        labels: the expressions, in the order of the outputs; empty for those of the data.
    """

    encoder: str = "compact"
    encoder_settings: Free = field(default_factory=dict)
    head: str = "bilstm"
    head_settings: Free = field(default_factory=dict)
    size: int = 48
    channels: int = 1
    geometry: CropGeometry = field(default_factory=CropGeometry)
    grey: Literal["bt601", "rgb2gray"] = "bt601"
    equalize: bool = False
    edges: bool = False
    scaling: Literal["image", "unit"] = "image"
    frame_rate: float = 25.0
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind, name, known in (("encoder", self.encoder, ENCODERS), ("head", self.head, HEADS)):
            if name not in known:
                raise OptionError(f"unknown {kind} {name!r}; known: {', '.join(known)}")
        # What these say of their own ranges, said before anything is prepared.
        Architecture(preprocess=self.preprocess, frame_rate=self.frame_rate)
        if self.labels:
            LabelSet(self.labels)

    @property
    def preprocess(self) -> Preprocess:
        """From face crop to network input."""
        return Preprocess(
            self.size, self.channels, self.geometry, self.grey, self.equalize, self.edges, self.scaling
        )


@dataclass(frozen=True)
class StartConfig:
    """Where the weights come from at first.

    Attributes:
        weights: scratch; imagenet (torchvision's, downloaded once); a bundled model's name or a model's folder,
            whose encoder is taken, and whose head too if labels and sizes are the same.
        stage_rates: for each of the encoder's stages, from the input on, the share of the learning rate that it
            learns at; 0 freezes it. A list of one number counts for all stages.
    """

    weights: str = "scratch"
    stage_rates: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not self.stage_rates or not all(rate >= 0 for rate in self.stage_rates):
            raise OptionError(f"start.stage_rates must be shares of the rate, not {list(self.stage_rates)}")


@dataclass(frozen=True)
class DataConfig:
    """What is learnt from, and how clips are drawn.

    Attributes:
        faces: how faces are found: mediapipe or haar; none for pictures that show a face alone, taken whole.
        picture_rate: pictures per second of clips that are made of pictures.
        longest_s: of a longer clip a part of this duration is drawn, anew in each epoch; the trained model reads
            clips in windows of it.
        speed: how much faster or slower a clip may be read, as a factor: 1.25 is from 0.8 to 1.25 times.
        balanced: draw each expression equally often, rare ones repeatedly.
        with_validation: learn from the split validation too; then it cannot choose, and select must be last.
    """

    faces: Literal["mediapipe", "haar", "none"] = "mediapipe"
    picture_rate: float = 25.0
    longest_s: float = 4.0
    speed: float = 1.0
    balanced: bool = False
    with_validation: bool = False

    def __post_init__(self) -> None:
        if not self.speed >= 1 or not self.longest_s > 0:
            raise OptionError("data.speed must be at least 1 and data.longest_s positive")
        # Slower pictures would lie further apart than the head reaches over.
        if not 2 < self.picture_rate < 10_000:
            raise OptionError(f"data.picture_rate must lie in (2, 10000), not {self.picture_rate}")


@dataclass(frozen=True)
class WindowConfig:
    """The middle of the crops alone, in the first epochs: cheaper steps, in which a shifted face is cut off.

    The last epochs show the whole crops, as the trained model reads them (Touvron et al., NeurIPS 2019).

    Attributes:
        side: of the middle that is seen, in pixels; 0 for whole crops throughout.
        share: of all epochs, from the first on, in which no more than that is seen; less than 1.
    """

    side: int = 0
    share: float = 0.0

    def __post_init__(self) -> None:
        if self.side < 0 or not 0 <= self.share < 1 or bool(self.side) != bool(self.share):
            raise OptionError("window.side and window.share (below 1) must both be positive, or both 0")

    def epochs_of(self, epochs: int) -> int:
        """In how many of a run's epochs no more is seen; the last one shows whole crops, however short the run."""
        return min(round(self.share * epochs), epochs - 1)


@dataclass(frozen=True)
class LossConfig:
    """What is minimised: cross-entropy of the clips, of their frames, or of both.

    Attributes:
        clip: weight of the clips' own loss.
        frame: weight of the frames' loss; a frame has the label of the clip that it is in.
        class_weights: balanced lets rare expressions count as much as frequent ones.
        label_smoothing: probability taken from the true label and spread over all (Szegedy et al., CVPR 2016).
        mixup: alpha of the Beta distribution by which pairs of clips are mixed (Zhang et al., ICLR 2018); 0 mixes
            none.
    """

    clip: float = 1.0
    frame: float = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: float = 0.0
    mixup: float = 0.0

    def __post_init__(self) -> None:
        if not (self.clip >= 0 and self.frame >= 0 and self.mixup >= 0 and self.clip + self.frame > 0):
            raise OptionError("loss.clip, loss.frame and loss.mixup must not be negative, and not both losses 0")
        if not 0 <= self.label_smoothing < 1:
            raise OptionError(f"loss.label_smoothing must lie in [0, 1), not {self.label_smoothing}")


@dataclass(frozen=True)
class TeacherConfig:
    """A trained model that is learnt from beside the labels (distillation; Hinton et al., 2015).

    It reads the very crops that the new model reads, disturbed and mixed (Beyer et al., CVPR 2022), or says once
    and for all what each clip shows (Bagherinezhad et al., 2018), so that a step costs no more than without it.

    Attributes:
        model: a bundled model's name or a model's folder, which may be an ensemble's; empty for none.
        once: ask it once about each clip, whole and undisturbed, and take that for all of the clip's frames,
            instead of asking about each step's crops.
        share: how much of the loss is disagreement with it; the labels have the rest.
        temperature: by which both models' logits are divided before they are compared; above 1 what the teacher
            thinks less likely counts more.
    """

    model: str = ""
    once: bool = False
    share: float = 0.5
    temperature: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or not self.temperature > 0:
            raise OptionError("teacher.share must lie in (0, 1], and teacher.temperature be positive")


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights follow their gradients.

    Attributes:
        name: sgd (with Nesterov's momentum), adam, adamw, muon, rmsprop or adagrad. muon moves convolutions'
            kernels equally far in every direction, and all else as adamw does: somewhat dearer steps, each of
            which brings more.
        rate: the learning rate that the schedule scales.
        momentum: of sgd, muon and rmsprop; the first beta of adam and adamw.
        weight_decay: of weight matrices and kernels; biases and norms go free.
        clip_norm: gradients longer than this are shortened to it; 0 leaves them.
        ema: decay of an exponential moving average of weights and norms' statistics, which is then what is
            validated and kept; 0 keeps the weights themselves.
        precise_norms: training frames, neither disturbed nor mixed, from which the batch norms of the model that
            is validated and kept take their statistics; 0 keeps those that ran along (Wu & Johnson, 2021).
    """

    name: Literal["sgd", "adam", "adamw", "muon", "rmsprop", "adagrad"] = "adamw"
    rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.01
    clip_norm: float = 0.0
    ema: float = 0.0
    precise_norms: int = 0

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.weight_decay >= 0 and self.clip_norm >= 0):
            raise OptionError("optimizer.rate must be positive, weight_decay and clip_norm not negative")
        if not 0 <= self.momentum < 1 or not 0 <= self.ema < 1:
            raise OptionError("optimizer.momentum and optimizer.ema must lie in [0, 1)")
        if self.precise_norms < 0 or self.precise_norms == 1:
            raise OptionError(f"optimizer.precise_norms must be 0, or 2 frames or more, not {self.precise_norms}")


@dataclass(frozen=True)
class ScheduleConfig:
    """How the learning rate changes; all durations are in epochs.

    Attributes:
        name: constant; step; plateau (lower when the validation figure stands still); cosine; cosine_restarts
            (Loshchilov & Hutter, ICLR 2017); one_cycle (Smith & Topin, 2018).
        warmup: epochs in which the rate climbs linearly from nearly nothing; one_cycle climbs 0.3 of all epochs if
            this is 0.
        every: epochs between the reductions of step, or of the first cycle of cosine_restarts, each later one
            twice as long.
        factor: of step and plateau, by which the rate is reduced.
        patience: of plateau, epochs without a better figure, or an equal one with less loss, before a
            reduction.
    """

    name: Literal["constant", "step", "plateau", "cosine", "cosine_restarts", "one_cycle"] = "cosine"
    warmup: float = 0.0
    every: int = 10
    factor: float = 0.1
    patience: int = 3

    def __post_init__(self) -> None:
        if not self.warmup >= 0 or self.every < 1 or self.patience < 1 or not 0 < self.factor < 1:
            raise OptionError(
                "schedule.warmup must not be negative, every and patience at least 1, factor in (0, 1)"
            )


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        model: what is trained.
        start: where the weights come from at first.
        data: what is learnt from.
        augmentation: disturbances of the face crops, one draw for all frames of a clip; 0 switches one off.
        window: the middle of the crops alone, in the first epochs.
        loss: what is minimised.
        teacher: a trained model that is learnt from too.
        optimizer: how weights follow their gradients.
        schedule: how the learning rate changes.
        epochs: passes over the training clips.
        batch_size: clips in a step, over all processes together.
        select: the figure on the validation split that chooses the best epoch: uar, accuracy or loss; last chooses
            nothing, and keeps the last epoch's model.
        stop_after: epochs without a better figure, or an equal one with less loss, after which training ends
            early; 0 never ends it.
        precision: of the encoder in training: auto takes bfloat16 or float16 where the device is faster with
            it, else float32.
        seed: of weights, order and disturbances.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    start: StartConfig = field(default_factory=StartConfig)
    data: DataConfig = field(default_factory=DataConfig)
    augmentation: Strength = field(default_factory=Strength)
    window: WindowConfig = field(default_factory=WindowConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    epochs: int = 30
    batch_size: int = 16
    select: Literal["uar", "accuracy", "loss", "last"] = "uar"
    stop_after: int = 0
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or self.stop_after < 0:
            raise OptionError("epochs and batch_size must be at least 1, stop_after not negative")
        chooses = self.select != "last"
        if chooses and self.data.with_validation:
            raise OptionError("what is learnt from cannot choose: data.with_validation needs select: last")
        if not chooses and (self.stop_after or self.schedule.name == "plateau"):
            raise OptionError("stop_after and schedule plateau go by the figure that select names; it is last")
        if not 0 <= self.seed < 2**63:
            raise OptionError(f"seed must lie in [0, 2^63), not {self.seed}")
        if self.window.side > self.model.size:
            raise OptionError(f"window.side ({self.window.side}) exceeds the crops' ({self.model.size})")
        if self.schedule.warmup >= self.epochs:
            raise OptionError(
                f"schedule.warmup ({self.schedule.warmup:g}) must be shorter than epochs ({self.epochs})"
            )
