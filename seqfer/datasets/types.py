"""What a data set is to the rest of seqfer: labelled clips, who is seen in them, and which split they are in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from seqfer.errors import OptionError
from seqfer.labels import canonical

SPLITS = ("train", "validation", "test")
UNASKED = "subjects stand in more than one split, which nobody asked for"  # as a manifest's reason to be leaky
# The order in which labels become class indices; others follow in the order of the alphabet.
USUAL_ORDER = ("angry", "contempt", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@dataclass(frozen=True)
class ClipRecord:
    """One labelled clip; a still is a clip of one frame.

    Attributes:
        clip_id: names the clip; unique in its manifest.
        path: a video, a picture, a folder of pictures, or FER-2013's CSV file.
        label: the expression, in the house spelling.
        start_s: where the clip begins in a video, in seconds from its first frame.
        end_s: where it ends (not included); None for the video's end.
        frames: in a folder, the names of the clip's pictures in the order of time; in a CSV file, its row
            (counted from 0); in a video, the indices of its frames; empty for all of them.
        subject_id: who is seen; "" where that is not known.
        split: of `SPLITS`, or "" where none was made.
        fold: of a cross-validation, from 0; None where none was made.
    """

    clip_id: str
    path: Path
    label: str
    start_s: float = 0.0
    end_s: float | None = None
    frames: tuple[str, ...] = ()
    subject_id: str = ""
    split: str = ""
    fold: int | None = None

    def __post_init__(self) -> None:
        if not self.clip_id:
            raise OptionError(f"{self.path}: a clip needs a clip_id")
        if not self.label or self.label != canonical(self.label):
            raise OptionError(f"clip {self.clip_id!r}: label {self.label!r} must be {canonical(self.label)!r}")
        if self.split not in ("", *SPLITS):
            raise OptionError(f"clip {self.clip_id!r}: unknown split {self.split!r}; known: {', '.join(SPLITS)}")
        if self.fold is not None and self.fold < 0:
            raise OptionError(f"clip {self.clip_id!r}: folds count from 0, not {self.fold}")
        if not 0 <= self.start_s < (float("inf") if self.end_s is None else self.end_s):
            raise OptionError(f"clip {self.clip_id!r}: start_s {self.start_s} must lie before end_s {self.end_s}")

    @property
    def part(self) -> str:
        """The split or fold that the clip is in, in words; "" for none."""
        return self.split or ("" if self.fold is None else f"fold {self.fold}")


@dataclass(frozen=True)
class Manifest:
    """The clips of a data set.

    Attributes:
        records: in a fixed order, at least one, with ids of their own.
        leaky: "", or why figures from these splits are too good: what stands on both sides of them.
    """

    records: tuple[ClipRecord, ...]
    leaky: str = ""

    def __post_init__(self) -> None:
        if not self.records:
            raise OptionError("holds no clip")
        repeated = [name for name, count in Counter(r.clip_id for r in self.records).items() if count > 1]
        if repeated:
            raise OptionError(f"clip_id {repeated[0]!r} stands for more than one clip; every clip needs its own")
        shared = shared_subjects(self.records)
        if shared and not self.leaky:
            subject, places = next(iter(shared.items()))
            raise OptionError(
                f"subject {subject!r} is in more than one part ({', '.join(places)}), so figures would be too "
                "good; split by subject (subject:70/15/15), or ask for a leaky split by its name"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that occur, in their usual order."""
        return usual_order(record.label for record in self.records)

    def of_split(self, split: str) -> tuple[ClipRecord, ...]:
        """The records of one split."""
        return tuple(record for record in self.records if record.split == split)

    def __repr__(self) -> str:
        return f"Manifest({len(self.records)} clips{', leaky' if self.leaky else ''})"


def part_rank(part: str) -> int:
    """The place of a split or fold among all: what is learnt from comes first, what is held out longest last."""
    if part.startswith("fold "):
        return len(SPLITS) + int(part.removeprefix("fold "))
    return SPLITS.index(part) if part in SPLITS else -1


def shared_subjects(records: Iterable[ClipRecord]) -> dict[str, tuple[str, ...]]:
    """Known subjects that are in more than one split or fold, each with the parts that it is in."""
    splits: dict[str, set[str]] = defaultdict(set)
    folds: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record.subject_id and record.split:
            splits[record.subject_id].add(record.split)
        if record.subject_id and record.fold is not None:
            folds[record.subject_id].add(f"fold {record.fold}")
    shared = {
        subject: tuple(sorted(found, key=part_rank))
        for parts in (folds, splits)
        for subject, found in parts.items()
        if len(found) > 1
    }
    return dict(sorted(shared.items()))


def usual_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Distinct labels in the order in which they become class indices."""
    return tuple(sorted(set(labels), key=_rank))


def _rank(label: str) -> tuple[int, str]:
    return (USUAL_ORDER.index(label) if label in USUAL_ORDER else len(USUAL_ORDER)), label
