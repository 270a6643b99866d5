"""Opening a training run: settings, a manifest and a folder in, a trainer out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from seqfer.datasets.manifest import read_manifest
from seqfer.datasets.opening import open_clips
from seqfer.datasets.packed import PackedClip, PackedClips
from seqfer.datasets.types import ClipRecord, Manifest
from seqfer.errors import OutputError
from seqfer.files import PARTIAL, sha256_of
from seqfer.labels import LabelSet
from seqfer.models.inference import choose_device
from seqfer.training.config import TrainConfig
from seqfer.training.loop import OWN_FILES, STATE, Trainer
from seqfer.training.optimizers import stage_rates
from seqfer.training.processes import Team
from seqfer.training.start import label_set, starting_model
from seqfer.training.teacher import find_teacher

T = TypeVar("T", bound=PackedClip | ClipRecord)


def open_data(
    config: TrainConfig,
    data: Path,
    cache: Path | None = None,
    team: Team | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[PackedClips, Manifest]:
    """The clips that a run's settings ask for; of several processes, the leading one prepares them.

    Raises:
        DatasetError: the manifest or the cache cannot be read, or they do not match.
        OutputError: the cache cannot be written.
    """
    team = team or Team()
    arguments = (data, config.model.preprocess, config.data.faces, cache, config.data.picture_rate)
    if team.leads:
        found = open_clips(*arguments, progress)
    team.told(None)
    return found if team.leads else open_clips(*arguments)


def open_run(
    config: TrainConfig,
    data: str | Path,
    run: str | Path,
    cache: str | Path | None = None,
    device: torch.device | None = None,
    resume: bool = False,
    team: Team | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Trainer:
    """A trainer of a manifest's split `train`, whose split `validation` chooses the best epoch.

    Args:
        config: the settings.
        data: the manifest's file.
        run: folder of the run.
        cache: folder of the face crops; one beside the manifest if not given.
        device: where to compute; `choose_device()` if not given.
        resume: go on with what lies in `run`, if anything does.
        team: the processes that train together; only this one if not given.
        progress: called with the number of clips prepared so far, and of all.

    Raises:
        SeqferError: settings, data and folder do not fit each other; what was saved in `run` stays.
    """
    run, data = Path(run), Path(data)
    check_folder(run, resume)
    # What cannot go well is said before hours are spent on preparing clips.
    check_data(config, read_manifest(data).records)
    packed, manifest = open_data(config, data, Path(cache) if cache else None, team, progress)
    record = describe(data, manifest, packed)
    return Trainer(config, packed, *parts_of(config, packed.clips), run, device or choose_device(), team, record)


def parts_of(config: TrainConfig, clips: Sequence[T]) -> tuple[list[T], list[T]]:
    """The clips to learn from, and those that choose the epoch."""
    learnt = ("train", "validation") if config.data.with_validation else ("train",)
    train = [clip for clip in clips if clip.split in learnt]
    return train, [clip for clip in clips if clip.split == "validation" and "validation" not in learnt]


def check_data(config: TrainConfig, records: Sequence[ClipRecord]) -> None:
    """Raise ModelError or OptionError if no model can be made by the settings, or none of a manifest's clips."""
    check_settings(config, label_set(config, records, *parts_of(config, records)))


def check_settings(config: TrainConfig, labels: LabelSet) -> None:
    """Raise ModelError or OptionError if no model can be made by the settings."""
    model = starting_model(config, labels).model
    stage_rates(model, config.start.stage_rates)
    find_teacher(config.teacher, model.architecture, config.window.side)


def describe(data: Path, manifest: Manifest, packed: PackedClips) -> dict[str, Any]:
    """What a model is trained on, for its record."""
    return {
        "manifest": data.name,
        "manifest_sha256": sha256_of(data),
        "leaky": manifest.leaky,
        "left_out": len(packed.left_out),
    }


def check_folder(folder: Path, resume: bool, folds: bool = False) -> None:
    """Raise OutputError if a run, or those of several folds, must not or cannot lie in a folder."""
    what = "a cross-validation" if folds else "a training run"
    check_contents(folder, resume, what, lambda name: _left_by(name, folds))


def check_contents(folder: Path, resume: bool, what: str, own: Callable[[str], bool]) -> None:
    """Raise OutputError if something must not or cannot lie in a folder.

    Args:
        folder: that may be missing or empty, or with `resume` hold an earlier part of the same; once that has a
            run's state, whatever else has been put beside it since.
        resume: go on with what lies there.
        what: is to lie there, as in "a training run".
        own: whether it leaves a file or folder of a name.
    """
    try:
        used = folder.exists() and any(folder.iterdir())
    except NotADirectoryError as error:
        raise OutputError(folder, "is a file, not a folder; choose another one") from error
    except OSError as error:
        raise OutputError(folder, f"cannot be read ({error.strerror})") from error
    if used and not resume:
        raise OutputError(folder, "exists already; use --resume to go on with it, or choose another folder")
    foreign = used and not all(own(path.name) or PARTIAL in path.name for path in folder.iterdir())
    if foreign and next(folder.rglob(STATE), None) is None:
        raise OutputError(folder, f"holds something else than {what}; choose another folder")


def _left_by(name: str, folds: bool) -> bool:
    """Whether a run, or a cross-validation, leaves a file or folder of that name."""
    return name == "evaluation" or name.startswith("fold-") if folds else name in OWN_FILES
