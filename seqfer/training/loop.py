"""The training loop: clips of a cache in, a chosen model and its figures out.

`Trainer.run` is a generator: it yields reports and prints nothing. After every epoch, and every few minutes in a
long one, the run's whole state lies in its folder; a run that was stopped goes on from there with the numbers
that it would have had.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from seqfer.datasets.packed import PackedClip, PackedClips, draw_frames
from seqfer.errors import ModelError, OptionError, OutputError
from seqfer.files import write_whole
from seqfer.models.classifier import SequenceClassifier
from seqfer.models.encoders import middle_of
from seqfer.models.heads import SequenceOutput
from seqfer.prefetch import Prefetch
from seqfer.settings import flat
from seqfer.training.augmentation import NOTHING, draw, repeated
from seqfer.training.batches import Batch, Batches
from seqfer.training.config import TrainConfig
from seqfer.training.config_file import to_yaml
from seqfer.training.disturbing import disturb
from seqfer.training.objective import Lesson, Mix, balanced_weights, draw_mix, losses, mix_frames
from seqfer.training.optimizers import make_optimizer, moving_average, set_rate, stage_rates, stages_of
from seqfer.training.processes import Team
from seqfer.training.reader import Reader, autocast_type
from seqfer.training.records import FILES, Records
from seqfer.training.reports import EpochReport, Progress, StepReport
from seqfer.training.results import measure, merit, on_disk, with_precise_norms
from seqfer.training.schedule import Merit, rate_factor, without_gain
from seqfer.training.start import label_set, not_shown, starting_model
from seqfer.training.state import RunState
from seqfer.training.teacher import AskedOnce, Teacher, find_teacher

STATE, CONFIG = "state.pt", "config.yaml"
OWN_FILES = (STATE, CONFIG, *FILES)
REPORT_EVERY_S = 1.0
SAVE_EVERY_S = 600.0
BATCHES_AHEAD = 3


class Trainer:
    """A training run in a folder: begun anew, or gone on with where it stands.

    The folder gets `config.yaml`, `metrics.jsonl`, `curves.png`, the models `best` and `last`, and `state.pt`.

    Attributes:
        not_learnt: labels of the settings that no training clip shows.
        new_head: whether the model that the run begins with has given its encoder alone.
    """

    def __init__(
        self,
        config: TrainConfig,
        packed: PackedClips,
        train: Sequence[PackedClip],
        validation: Sequence[PackedClip],
        run: Path,
        device: torch.device,
        team: Team | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            config: the settings.
            packed: the cache that holds the clips.
            train: clips to learn from.
            validation: clips that choose the best epoch; never learnt from. None are needed if none is chosen.
            run: folder of the run.
            device: where to compute.
            team: the processes that train together; only this one if not given.
            data: what the clips are, for the model's record.

        Raises:
            OptionError: a split is empty, a class is absent from training, a label is not in the label set, or
                settings do not fit each other.
            ModelError: the model cannot be made, its teacher does not fit it, or the run was begun with other
                settings or data.
            OutputError: the folder cannot be written.
        """
        self.config, self.run_folder, self.device, self.team = config, run, device, team or Team()
        self.packed, self._validation = packed, list(validation)
        labels = label_set(config, packed.clips, train, validation)
        truth = np.array([labels.index(clip.label) for clip in train], np.int64)
        self.not_learnt = not_shown(labels, train)
        self.model, start, self.new_head = starting_model(config, labels)
        self.data = {**(data or {}), "frames_sha256": packed.frames_sha256, "clips": len(train)}
        rates = stage_rates(self.model, config.start.stage_rates)
        self._frozen = [number for number, rate in enumerate(rates) if rate == 0]
        self.model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._norm_frames = draw_frames(train, config.optimizer.precise_norms, config.seed)
        self._weights = torch.ones(len(labels), device=device)
        if config.loss.class_weights == "balanced":
            self._weights = balanced_weights(truth, len(labels)).to(device)
        rank = (self.team.rank, self.team.size)
        self._batches = Batches(
            packed, train, truth, config.data, config.model.frame_rate, config.batch_size, config.seed, rank
        )
        if len(train) // self._batches.steps < self.team.size:
            raise OptionError(
                f"{self.team.size} processes need batches of at least as many clips; raise batch_size"
            )
        self._optimizer = make_optimizer(self.model, config.optimizer, config.start.stage_rates)
        self._average = moving_average(self.model, config.optimizer.ema) if config.optimizer.ema else None
        self._dtype = autocast_type(config.precision, device)
        given = find_teacher(config.teacher, self.model.architecture)
        self._teacher: Teacher | AskedOnce | None = None
        if given and config.teacher.once:
            self._teacher = AskedOnce(given.model, packed, train, device)
        elif given:
            self._teacher = Teacher(given.model, self._dtype, device)
        self._given = {"start": start, "teacher": given.sha256 if given else "none"}
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._dtype == torch.float16)
        self._records = Records(run, config, self._given, self.data)
        self._progress = Progress()
        self._state = self._run_state()
        with on_disk(run):
            self._step, _ = self._state.restore()
        if self.team.told(self._step) != self._step:
            raise OutputError(run, "must lie on a disk that all machines of the run share")
        self._reader = self.team.wrap(Reader(self.model, self._dtype), device)

    @property
    def history(self) -> list[dict[str, Any]]:
        """An entry for each epoch done, as in metrics.jsonl."""
        return self._progress.history

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done, or nothing has got better for long enough."""
        merits, patience = self._merits(), self.config.stop_after
        return len(merits) >= self.config.epochs or (0 < patience <= without_gain(merits))

    def run(self) -> Generator[StepReport | EpochReport]:
        """Train until the run is finished, from wherever it stands.

        Raises:
            ModelError: the loss is no longer a number; what was saved before stays.
            OutputError: the run's folder cannot be written; what was saved before stays.
        """
        if self.team.leads:
            with on_disk(self.run_folder), write_whole(self.run_folder / CONFIG) as place:
                place.write_text(to_yaml(self.config), encoding="utf-8")
        between = self.history and self._step % self._batches.steps == 0
        if between and self.team.leads and not self._records.stand(self.history):
            # The run was killed while it wrote them.
            self._records.write(self.history, self._kept_model(), self.finished)
        while not self.finished:
            start = perf_counter()
            yield from self._epoch(len(self.history))
            yield self._close_epoch(start)

    def _epoch(self, epoch: int) -> Iterator[StepReport]:
        self.model.train()
        for number in self._frozen:
            stages_of(self.model)[number].eval()  # their norms keep their statistics
        steps, done = self._batches.steps, self._step % self._batches.steps
        waiting: list[Tensor] = []
        clips, reported, saved = 0, perf_counter(), perf_counter()
        with Prefetch(self._batches.epoch(epoch, done), BATCHES_AHEAD) as batches:
            for batch in batches:
                position = epoch + done / steps
                factor = rate_factor(self.config.schedule, position, self.config.epochs, self._merits())
                rate = self.config.optimizer.rate * factor
                waiting.append(self._learn(batch, rate))
                done, self._step = done + 1, self._step + 1
                clips += len(batch.lengths) * self.team.size
                now = perf_counter()
                if now - reported >= REPORT_EVERY_S or done == steps:
                    self._take_losses(waiting)
                    mean = math.fsum(self._progress.losses) / len(self._progress.losses)
                    yield StepReport(epoch + 1, done, steps, mean, rate, clips / (now - reported))
                    clips, reported = 0, now
                if now - saved >= SAVE_EVERY_S and done < steps:
                    self._take_losses(waiting)
                    self._save()
                    saved = now

    def _learn(self, batch: Batch, rate: float) -> Tensor:
        """One step; gives its loss over all processes."""
        config = self.config
        images, mix = self._images(batch)
        labels = batch.labels.to(self.device)
        output: SequenceOutput = self._reader(images, batch.lengths)
        lesson = Lesson(self._teacher.read(images, batch, mix), config.teacher) if self._teacher else None
        sums, divisors = losses(output, batch.lengths, labels, mix, config.loss, self._weights, lesson)
        total = self.team.sum(torch.cat([sums.detach(), divisors]))
        kinds = torch.tensor([config.loss.clip, config.loss.frame], device=self.device)
        # The processes' gradients are averaged, so each loss counts as often as there are processes.
        loss = (kinds * sums / total[2:]).sum() * self.team.size
        set_rate(self._optimizer, rate)
        self._optimizer.zero_grad()
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if config.optimizer.clip_norm:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), config.optimizer.clip_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average is not None:
            self._average.update_parameters(self.model)
        return (kinds * total[:2] / total[2:]).sum()

    def _images(self, batch: Batch) -> tuple[Tensor, Mix | None]:
        """A batch as network input (N, C, H, W), disturbed and mixed."""
        config = self.config
        # Dropout draws from the global generator, and every process drops what it likes.
        torch.manual_seed(batch.seed * self.team.size + self.team.rank)
        generator = torch.Generator(self.device).manual_seed(batch.seed * self.team.size + self.team.rank)
        preprocess = self.model.architecture.preprocess
        planes = preprocess.planes(batch.crops.to(self.device, non_blocking=True))
        if config.augmentation != NOTHING:
            drawn = repeated(draw(config.augmentation, batch.noise), batch.lengths, self.device)
            planes = disturb(planes, drawn, generator)
        images = preprocess.scale(planes)
        if len(self.history) < config.window.epochs_of(config.epochs):
            images = middle_of(images, config.window.side)
        mix = draw_mix(len(batch.lengths), config.loss.mixup, batch.seed)
        if mix is not None:
            images = mix_frames(images, batch.lengths, mix)
        return images.contiguous(memory_format=torch.channels_last), mix

    def _take_losses(self, waiting: list[Tensor]) -> None:
        """Fetch the losses of the last steps from the device and look whether they are numbers."""
        first = self._step - len(waiting)
        for number, value in enumerate(torch.stack(waiting).tolist() if waiting else [], first + 1):
            if not math.isfinite(value):
                self._refuse(number, value)
            self._progress.losses.append(value)
        waiting.clear()

    def _close_epoch(self, start: float) -> EpochReport:
        """Validate, keep the model if it is the best one, and save the run."""
        merits = self._merits()
        measured, kept = None, self._kept_model()
        if self.team.leads and self._validation:
            measured = measure(kept, self.device, self.packed, self._validation)
        figures: dict[str, Any] | None = self.team.told(measured)
        epoch = len(merits) + 1
        factor = rate_factor(self.config.schedule, epoch - 1, self.config.epochs, merits)
        entry: dict[str, Any] = {
            "epoch": epoch,
            "step": self._step,
            "loss": math.fsum(self._progress.losses) / len(self._progress.losses),
            "rate": self.config.optimizer.rate * factor,
            "validation": figures,
            "seconds": round(perf_counter() - start, 2),
        }
        if figures and not math.isfinite(figures["log_loss"]):
            self._refuse(self._step, figures["log_loss"])
        entry["best"] = not merits or merit(entry, self.config.select) > max(merits)
        self.history.append(entry)
        self._progress.losses = []
        # The state first: whatever is killed while the files below are written is written again from it.
        self._save()
        if self.team.leads:
            self._records.write(self.history, kept, self.finished)
        return EpochReport(epoch, entry["loss"], figures, entry["best"], entry["seconds"])

    def _refuse(self, step: int, value: float) -> NoReturn:
        raise ModelError(
            f"{self.run_folder}: the loss of step {step} (epoch {len(self.history) + 1}) is {value}; what was "
            "saved before stays; lower optimizer.rate or set optimizer.clip_norm, and begin in another folder"
        )

    def _kept_model(self) -> SequenceClassifier:
        """The model that is validated and saved: as it is now, or the average, with the norms that are wanted."""
        model: SequenceClassifier = self.model if self._average is None else self._average.module  # type: ignore[assignment]
        if not len(self._norm_frames) or not self.team.leads:
            return model
        return with_precise_norms(model, self.packed, self._norm_frames, self.device, self._frozen)

    def _save(self) -> None:
        if self.team.leads:
            with on_disk(self.run_folder):
                self._state.save(self._step)

    def _merits(self) -> list[Merit]:
        return [merit(entry, self.config.select) for entry in self.history]

    def _run_state(self) -> RunState:
        parts: dict[str, Any] = {"model": self.model, "optimizer": self._optimizer, "scaler": self._scaler}
        if self._average is not None:
            parts["average"] = self._average
        origin = {**flat(asdict(self.config)), "data": self.data, **self._given}
        for place in ("start.weights", "teacher.model"):
            del origin[place]  # what lies there counts, not where it lies
        return RunState(self.run_folder / STATE, origin, progress=self._progress, **parts)
