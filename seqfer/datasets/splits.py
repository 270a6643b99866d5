"""Splits: which clips a model may learn from, which choose it, and which measure it.

By subject where figures are to hold for people who were never seen; by clip or by image only where somebody asks
for that by name, because the same face then stands on both sides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seqfer.datasets.pictures import is_video, picture_files
from seqfer.datasets.types import SPLITS, ClipRecord, Manifest, shared_subjects
from seqfer.errors import OptionError
from seqfer.video.opening import open_video

METHODS = ("official", "subject", "kfold", "clip", "image")
USAGE = "official, subject:70/15/15, kfold:10, clip:70/15/15 or image:80/20"
# Without subjects every clip is a person of its own, as far as anyone can tell.
Unit = Callable[[ClipRecord], Hashable]


@dataclass(frozen=True)
class SplitPlan:
    """How to split.

    Attributes:
        method: of `METHODS`.
        shares: of the clips in train, validation and test, which sum to 1; () where none are given.
        folds: of a cross-validation, else 0.
    """

    method: str
    shares: tuple[float, ...] = ()
    folds: int = 0

    @classmethod
    def parse(cls, text: str) -> SplitPlan:
        """From a text like "subject:70/15/15"; two numbers are train and test.

        Raises:
            OptionError: the text is no plan.
        """
        method, _, detail = text.partition(":")
        try:
            if method == "official" and not detail:
                return cls(method)
            if method == "kfold" and int(detail) >= 2:
                return cls(method, folds=int(detail))
            if method in ("subject", "clip", "image"):
                return cls(method, _shares(detail))
        except ValueError:
            if method in ("subject", "clip", "image") and detail:
                raise OptionError(
                    f"split {text!r}: shares are two or three positive numbers that make 100, as 70/15/15 or 80/20"
                ) from None
        raise OptionError(f"unknown split {text!r}; known: {USAGE}")


def split(records: Sequence[ClipRecord], plan: SplitPlan, seed: int = 0, images: bool = False) -> Manifest:
    """A manifest whose clips carry the plan's splits or folds.

    Classes are spread as evenly as whole subjects (clips, images) allow. The same records, plan and seed give the
    same split on every machine.

    Args:
        records: with whatever splits they have; only "official" keeps them.
        plan: how.
        seed: of the order in which equals are dealt out.
        images: take each picture, or frame of a video, as a clip of its own, in the split of its clip.

    Raises:
        OptionError: the plan asks for what the records do not have: subjects, official splits, enough units.
    """
    if plan.method == "official":
        missing = next((record for record in records if not record.split), None)
        if missing:
            raise OptionError(f"clip {missing.clip_id!r} has no official split; choose {USAGE.partition(', ')[2]}")
        shared = bool(shared_subjects(records))
        reason = "official: subjects stand in more than one split" if shared else ""
        return Manifest(_parted(records, images), reason)
    unit, leaky = _unit(records, plan)
    blank = without_split(records).records
    if plan.method == "image":
        blank, images = _parted(blank, True), False
    if plan.folds:
        parts = deal(blank, unit, (1 / plan.folds,) * plan.folds, seed)
        folded = [replace(r, fold=part) for r, part in zip(blank, parts, strict=True)]
        return Manifest(_parted(folded, images))
    names = SPLITS if len(plan.shares) == 3 else ("train", "test")
    parts = deal(blank, unit, plan.shares, seed)
    divided = tuple(replace(r, split=names[part]) for r, part in zip(blank, parts, strict=True))
    leaks = plan.method == "image" or shared_subjects(divided)
    return Manifest(_parted(divided, images), leaky if leaks else "")


def _parted(records: Sequence[ClipRecord], images: bool) -> tuple[ClipRecord, ...]:
    """The records, or their images."""
    return tuple(image for record in records for image in images_of(record)) if images else tuple(records)


def without_split(records: Sequence[ClipRecord], images: bool = False) -> Manifest:
    """A manifest whose clips, or whose images, are in no split."""
    return Manifest(_parted([replace(record, split="", fold=None) for record in records], images))


def images_of(record: ClipRecord) -> list[ClipRecord]:
    """The pictures of a clip, or the frames of a video, as clips of their own: what a split of images shuffles.

    Raises:
        VideoError: the clip cannot be read.
    """
    frames = record.frames
    if not frames and record.path.is_dir():
        frames = tuple(path.name for path in picture_files(record) if path is not None)
    elif not frames and not is_video(record):
        return [record]
    elif not frames:
        end_s = float("inf") if record.end_s is None else record.end_s
        with open_video(record.path) as stream:
            frames = tuple(str(frame.index) for frame in stream if record.start_s <= frame.time_s < end_s)
    return [replace(record, clip_id=f"{record.clip_id}#{name}", frames=(name,)) for name in frames]


def image_of(record: ClipRecord) -> str:
    """The id of the clip of which `images_of` made this one a piece; empty if it is a clip of its own."""
    ending = f"#{record.frames[0]}" if len(record.frames) == 1 else ""
    return record.clip_id.removesuffix(ending) if ending and record.clip_id.endswith(ending) else ""


def deal(records: Sequence[ClipRecord], unit: Unit, shares: tuple[float, ...], seed: int) -> list[int]:
    """The part, in [0, len(shares)), of each record; records of one unit are never parted.

    Units are dealt from the largest to the smallest, each to the part that then is nearest to its share of every
    class. This is the greedy rule for stratified groups of Sechidis et al. (ECML 2011), with groups for samples.

    Raises:
        OptionError: there are fewer units than parts.
    """
    counts: dict[Hashable, Counter[str]] = defaultdict(Counter)
    for record in records:
        counts[unit(record)][record.label] += 1
    if len(counts) < len(shares):
        raise OptionError(f"{len(counts)} subjects or clips cannot be dealt out to {len(shares)} parts")
    labels = sorted({record.label for record in records})
    units = sorted(counts, key=str)
    table = np.array([[counts[name][label] for label in labels] for name in units], np.float64)  # (U, K)
    order = np.random.default_rng(seed).permutation(len(units))
    # Rare classes have few units to be dealt by: those that hold them come first, then the large ones.
    weight = (table / table.sum(0)).max(1)
    order = order[np.argsort(-weight[order], kind="stable")]
    wanted = np.outer(shares, table.sum(0))  # (P, K)
    scale = 1 / table.sum(0)
    given = np.zeros_like(wanted)
    part_of: dict[Hashable, int] = {}
    left = len(units)
    for index in order:
        empty = [part for part in range(len(shares)) if not given[part].any()]
        # No part may stay empty, however small its share.
        choices = empty if len(empty) >= left else range(len(shares))
        before = (((given - wanted) * scale) ** 2).sum(1)
        after = (((given + table[index] - wanted) * scale) ** 2).sum(1)
        part = min(choices, key=lambda p: (after[p] - before[p], p))
        given[part] += table[index]
        part_of[units[index]] = part
        left -= 1
    return [part_of[unit(record)] for record in records]


def _unit(records: Sequence[ClipRecord], plan: SplitPlan) -> tuple[Unit, str]:
    """What stays together, and what leaks if it does not."""
    if plan.method in ("subject", "kfold"):
        unknown = next((record for record in records if not record.subject_id), None)
        if unknown:
            raise OptionError(
                f"clip {unknown.clip_id!r} has no subject_id; name the subjects, as by --subject, or split by clip"
            )
        return lambda record: record.subject_id, ""
    if plan.method == "clip":
        return lambda record: record.clip_id, "clip: subjects stand in more than one split"
    return lambda record: record.clip_id, "image: pictures of one clip or subject stand in more than one split"


def _shares(text: str) -> tuple[float, ...]:
    numbers = [float(part) for part in text.split("/")]
    if len(numbers) not in (2, 3) or not all(n > 0 for n in numbers) or abs(sum(numbers) - 100) > 1e-6:
        raise ValueError(text)
    return tuple(number / 100 for number in numbers)
