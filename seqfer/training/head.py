"""Training a temporal head on clips made from stills, over an encoder that stays as it is.

As the encoder's loop, this one is a generator that yields reports, keeps its whole state in the run's folder,
and goes on where it was stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from math import cos, exp, isfinite, pi
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from seqfer.datasets.fer2013 import StillSet
from seqfer.errors import ModelError, OptionError
from seqfer.models.checkpoint import Provenance, save_checkpoint
from seqfer.models.classifier import SequenceClassifier
from seqfer.models.ensemble import AverageHead
from seqfer.models.heads import BiLSTMHead, MeanHead, SequenceOutput
from seqfer.models.inference import Predictor
from seqfer.training.clip_figures import ClipFigures, encode_clips, encode_pictures, measure_head, validation_clips
from seqfer.training.clips import Clips, ClipStyle, make_clips
from seqfer.training.results import on_disk
from seqfer.training.state import RunState, digest_of

STATE = "state.pt"


@dataclass(frozen=True)
class HeadRecipe:
    """How a head is trained.

    Attributes:
        steps: of the optimiser.
        frames_per_step: about how many frames a step's clips have together.
        longest: frames of the longest clips, better no fewer than a window of `seqfer.models.inference` holds;
            lengths are drawn so that each doubling is equally likely.
        peak_rate: learning rate at the start, from where it falls by half a cosine.
        dropout: in the head.
        report_every: steps between validations.
        validation_clips: clips made from validation stills, once, of `longest` frames.
        seed: of everything random.
        style: what the clips are made like.
    """

    steps: int = 100
    frames_per_step: int = 2048
    longest: int = 100
    peak_rate: float = 2e-3
    dropout: float = 0.3
    report_every: int = 25
    validation_clips: int = 800
    seed: int = 0
    style: ClipStyle = field(default_factory=lambda: ClipStyle(calmest=0.0, undisturbed=0.2))

    def __post_init__(self) -> None:
        if min(self.steps, self.report_every, self.validation_clips) < 1 or self.longest < 2:
            raise OptionError("steps, report_every and validation_clips must be at least 1, longest at least 2")


@dataclass(frozen=True)
class HeadReport:
    """What the steps since the last report brought."""

    step: int
    loss: float
    validation: ClipFigures
    best: bool
    seconds: float


def with_head(model: SequenceClassifier, head: str, **settings: Any) -> SequenceClassifier:
    """A model with the same encoder and a new head, which takes over how the old one reads a frame.

    Of an ensemble, whose probabilities are its members' average ones, it takes over the average logits: one linear
    reading of all their embeddings.

    Raises:
        ModelError: the model's own head has a memory.
    """
    changed = SequenceClassifier(replace(model.architecture, head=head, head_settings=settings))
    changed.encoder.load_state_dict(model.encoder.state_dict())
    frame = changed.head.get_submodule("frame")
    if isinstance(model.head, MeanHead):
        frame.load_state_dict(model.head.frame.state_dict())
    elif isinstance(model.head, AverageHead):
        own = [member.get_submodule("frame").state_dict() for member in model.head.heads]
        weight = torch.cat([one["weight"] for one in own], 1) / len(own)
        bias = torch.stack([one["bias"] for one in own]).mean(0)
        frame.load_state_dict({"weight": weight * model.head.sharpness, "bias": bias * model.head.sharpness})
    else:
        raise ModelError("the encoder's model must read each frame alone (head 'mean' or 'average')")
    return changed


def frames_alone(model: SequenceClassifier) -> SequenceClassifier:
    """A model that reads each frame as this one's head would if it had no neighbours: `with_head` undone.

    Raises:
        ModelError: the model's head is no BiLSTM.
    """
    if not isinstance(model.head, BiLSTMHead):
        raise ModelError("only the head 'bilstm' reads a frame beside its neighbours")
    changed = SequenceClassifier(replace(model.architecture, head="mean", head_settings={}))
    changed.encoder.load_state_dict(model.encoder.state_dict())
    changed.head.get_submodule("frame").load_state_dict(model.head.frame.state_dict())
    return changed.eval()


def train_head(
    model: SequenceClassifier,
    train: StillSet,
    validation: StillSet,
    recipe: HeadRecipe,
    run: Path,
    device: torch.device,
    provenance: dict[str, Any],
) -> Iterator[HeadReport]:
    """Train a BiLSTM head until the recipe's last step, from wherever `run` stands; `run/best` is chosen.

    The encoder and the head's reading of single frames stay as they are. What that reading says of a still as it
    is, is what the head learns to say of its clips, so that it sees through disturbances and is no surer of itself
    where nothing disturbs than single frames are; labels would teach it to be, as the encoder has seen these
    stills before.

    Args:
        model: of `with_head`; its head is trained in place.
        train: stills to make clips from.
        validation: stills whose clips choose the best step, by the log loss of clips and frames.
        recipe: how.
        run: folder of the run; holds `state.pt` after each report and the checkpoint `best`.
        device: where to compute.
        provenance: goes into the checkpoint's training record, beside the recipe.

    Raises:
        ModelError: the head is no BiLSTM, it reads clips at another rate than the recipe's, the run was begun with
            another recipe, head, data or encoder, or the loss is no number.
        OutputError: the folder cannot be written.
    """
    head = model.head
    if not isinstance(head, BiLSTMHead):
        raise ModelError("only the head 'bilstm' is trained on clips")
    rate = model.architecture.frame_rate
    if rate != recipe.style.frame_rate:
        raise ModelError(f"clips of {recipe.style.frame_rate:g} frames per second; the model reads {rate:g}")
    predictor = Predictor(model, device)
    head.to(device)
    head.dropout.p = recipe.dropout
    head.frame.requires_grad_(False)
    optimizer = torch.optim.Adam([p for p in head.parameters() if p.requires_grad], recipe.peak_rate)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 + 0.5 * cos(pi * min(1.0, step / recipe.steps))
    )
    origin = {
        "recipe": asdict(recipe),
        "head": model.architecture.head_settings,
        "data": train.sha256(),
        "validation data": validation.sha256(),
        "encoder": digest_of(model.encoder),
        "reading of single frames": digest_of(head.frame),
    }
    state = RunState(run / STATE, origin, head=head, optimizer=optimizer, scheduler=scheduler)
    with on_disk(run):
        done, best = state.restore()
        if done == recipe.steps:
            return
        if not done:
            state.save(0)  # a model that was chosen before the first state would bar the way back
    answers = frame_readings(predictor, head, train)
    held_out = validation_clips(predictor, validation, recipe.validation_clips, recipe.longest, recipe.style)
    loss_sum, start = 0.0, perf_counter()
    for step in range(done, recipe.steps):
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        torch.manual_seed(recipe.seed * 1_000_003 + step)
        head.train()
        length = round(recipe.longest ** float(torch.rand((), generator=generator)))
        count = max(1, recipe.frames_per_step // length)
        chosen = torch.randint(len(train), (count,), generator=generator)
        clips = make_clips(train, chosen, length, answers, recipe.style, generator)
        output: SequenceOutput = head(encode_clips(predictor, clips).to(device), torch.full((count,), length))
        loss = _loss(output, clips)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        loss_sum += float(loss.detach())
        if not isfinite(loss_sum):
            raise ModelError(f"step {step + 1}: the loss is no number; take a smaller peak_rate")
        if (step + 1) % recipe.report_every == 0 or step + 1 == recipe.steps:
            head.eval()
            figures = measure_head(head, held_out, rate)
            merit = exp(-figures.log_loss)  # in as many clips it shows finer differences than accuracy
            is_best = merit > best
            best = max(best, merit)
            record = {**provenance, "head_recipe": asdict(recipe), "chosen_step": step + 1}
            with on_disk(run):
                if is_best:
                    save_checkpoint(run / "best", model, Provenance(training=record), torch.float16)
                state.save(step + 1, best)
            steps = (step % recipe.report_every) + 1
            yield HeadReport(step + 1, loss_sum / steps, figures, is_best, perf_counter() - start)
            loss_sum, start = 0.0, perf_counter()


@torch.inference_mode()
def frame_readings(predictor: Predictor, head: BiLSTMHead, stills: StillSet) -> Tensor:
    """Probabilities (N, K) that a head gives stills by its reading of single frames."""
    embeddings = encode_pictures(predictor, stills.images)
    read: Tensor = head.frame(embeddings.to(head.frame.weight.device)).softmax(1)
    return read.cpu()


def _loss(output: SequenceOutput, clips: Clips) -> Tensor:
    """Cross-entropy of every frame, and of the steady clips as a whole."""
    targets = clips.targets.to(output.frame_logits.device)
    frames = nn.functional.cross_entropy(output.frame_logits.flatten(0, 1), targets.flatten(0, 1))
    steady = clips.steady.to(targets.device)
    if not bool(steady.any()):
        return frames
    return frames + nn.functional.cross_entropy(output.clip_logits[steady], targets[steady, 0])
