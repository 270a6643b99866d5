"""What is wrong with a manifest: who and what stands on two sides of a split, copies, and files that do not read.

A model that has seen the test data, or the same person, or the frame next to it, is measured too well. The audit
counts all of these and changes nothing. `cleaned` takes copies out of training and validation, never out of test.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqfer.datasets.likeness import Fingerprints, fingerprints, near_pairs
from seqfer.datasets.pictures import PictureReader, is_video
from seqfer.datasets.splits import image_of
from seqfer.datasets.types import SPLITS, ClipRecord, Manifest, part_rank, shared_subjects
from seqfer.errors import DatasetError, VideoError
from seqfer.files import sha256_of
from seqfer.video.opening import open_video

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Copies:
    """Copies between two parts of a manifest, or within one.

    Attributes:
        part: a split, "fold 0" and so on, or "" for clips that are in none.
        source: the part that `part`'s copies are of; the same one for repeats within it.
        exact: pictures (or video files) of `part` that equal one of `source`; within a part those that repeat an
            earlier one.
        distinct: how many different pictures these are.
        near: pictures of `part` that are near-identical to one of `source`, but equal to none.
        other_label: pictures among both whose copy bears another label.
    """

    part: str
    source: str
    exact: int
    distinct: int
    near: int
    other_label: int


@dataclass(frozen=True)
class CopyPair:
    """Two clips that show the same.

    Attributes:
        copy: of the two, what is held out longer; within a part the later one.
        source: what it is a copy of.
        exact: whether the two share a picture that is equal, or are equal video files; else it is near-identical.
    """

    copy: ClipRecord
    source: ClipRecord
    exact: bool


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        compared: pictures and video files that were compared; videos only for equality.
        subjects: those in more than one part, with the parts.
        sources: videos and sequences of which more than one part has a piece, with the parts.
        copies: for each two parts that have any, and within each part that has any.
        pairs: the clips that these are counts of, two by two.
        missing: (part, label) for each label that a part lacks.
        unreadable: clips that cannot be read, with the reason.
        repeats: ids of clips that are copies of one that is held out longer (of validation or test in training, of
            test in validation), or equal to an earlier training clip.
    """

    compared: int
    subjects: dict[str, tuple[str, ...]]
    sources: dict[str, tuple[str, ...]]
    copies: tuple[Copies, ...]
    pairs: tuple[CopyPair, ...] = field(repr=False)
    missing: tuple[tuple[str, str], ...]
    unreadable: tuple[tuple[ClipRecord, str], ...]
    repeats: frozenset[str] = field(repr=False)

    @property
    def leaks(self) -> bool:
        """Whether anything or anybody stands on two sides."""
        return bool(self.subjects or self.sources or any(found.part != found.source for found in self.copies))


def audit(manifest: Manifest, progress: Progress = lambda done, total: None) -> Audit:
    """Look at every clip of a manifest.

    Args:
        manifest: what to look at.
        progress: called with the number of clips read so far, and of all.
    """
    unreadable: list[tuple[ClipRecord, str]] = []
    prints, files, owner = _read(manifest, unreadable, progress)
    films = np.array(
        [_as_shown(digest, manifest.records[position]) for position, digest in files.items()], np.str_
    )
    digests = np.concatenate([prints.digests, films])
    parts = np.array([record.part for record in manifest.records])[owner]
    pairs = _directed(_pairs(prints, films, owner), parts)
    labels = np.array([record.label for record in manifest.records])[owner]
    return Audit(
        compared=len(digests),
        subjects=shared_subjects(manifest.records),
        sources=_shared_sources(manifest, files),
        copies=tuple(_copies(digests, pairs, parts, labels)),
        pairs=tuple(_clip_pairs(manifest, digests, owner[pairs], pairs)),
        missing=tuple(_missing(manifest)),
        unreadable=tuple(unreadable),
        repeats=frozenset(manifest.records[owner[i]].clip_id for i in _repeats(digests, pairs, parts)),
    )


def cleaned(manifest: Manifest, found: Audit) -> Manifest:
    """The manifest without those of its training and validation clips that are repeats."""
    kept = tuple(record for record in manifest.records if record.clip_id not in found.repeats)
    return replace(manifest, records=kept)


def _read(
    manifest: Manifest, unreadable: list[tuple[ClipRecord, str]], progress: Progress
) -> tuple[Fingerprints, dict[int, str], NDArray[np.int64]]:
    """The pictures, the digests of video files by their clips' positions, and the clip of each, pictures first."""
    owners: list[int] = []
    files: dict[int, str] = {}

    @cache
    def file_digest(path: Path) -> str:
        with open_video(path):  # not a frame of it may decode
            return sha256_of(path)

    def pictures() -> Iterator[NDArray[np.uint8]]:
        reader = PictureReader()
        for position, record in enumerate(manifest.records):
            try:
                if is_video(record):
                    files[position] = file_digest(record.path)
                else:
                    for _, picture in reader.read(record):
                        owners.append(position)
                        yield picture
            except (VideoError, DatasetError) as error:
                unreadable.append((record, str(error)))
            progress(position + 1, len(manifest.records))

    prints = fingerprints(pictures())
    return prints, files, np.array([*owners, *files], np.int64)


def _as_shown(digest: str, record: ClipRecord) -> str:
    """What two clips of videos share that show the same from beginning to end."""
    return f"{digest} {record.start_s} {record.end_s} {record.frames}"


def _pairs(prints: Fingerprints, films: NDArray[np.str_], owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """(P, 2) pieces of different clips that are copies of each other, each pair once, the earlier piece first."""
    alike: dict[str, list[int]] = defaultdict(list)
    for index, digest in enumerate(films, start=len(prints)):
        alike[str(digest)].append(index)
    equal = [pair for group in alike.values() for pair in combinations(group, 2)]
    # A clip's own pictures are alike, and nothing is wrong with that.
    near = near_pairs(prints, prints, lambda i, j: (i < j) & (owner[i] != owner[j]))
    return np.concatenate([near, np.array(equal, np.int64).reshape(-1, 2)])


def _directed(pairs: NDArray[np.int64], parts: NDArray[np.str_]) -> NDArray[np.int64]:
    """(P, 2) sources and copies: between two parts the copy is what is held out longer, within one the later."""
    ranks = np.array([part_rank(part) for part in parts], np.int64)[pairs]
    return np.where(ranks[:, :1] > ranks[:, 1:], pairs[:, ::-1], pairs)


def _clip_pairs(
    manifest: Manifest, digests: NDArray[np.str_], clips: NDArray[np.int64], pairs: NDArray[np.int64]
) -> Iterator[CopyPair]:
    """Pairs of clips in the manifest's order, each once, however many of their pictures are alike."""
    exact: dict[tuple[int, int], bool] = defaultdict(bool)
    for (source, copy), (first, second) in zip(clips.tolist(), pairs.tolist(), strict=True):
        exact[copy, source] |= bool(digests[first] == digests[second])
    for (copy, source), equal in sorted(exact.items()):
        yield CopyPair(manifest.records[copy], manifest.records[source], equal)


def _copies(
    digests: NDArray[np.str_], pairs: NDArray[np.int64], parts: NDArray[np.str_], labels: NDArray[np.str_]
) -> Iterator[Copies]:
    source, copy = pairs.T
    exact = digests[source] == digests[copy]
    other_label = labels[source] != labels[copy]
    for part, origin in sorted({(parts[c], parts[s]) for c, s in zip(copy, source, strict=True)}, key=_by_ranks):
        here = (parts[copy] == part) & (parts[source] == origin)
        equal = np.unique(copy[here & exact])
        yield Copies(
            part=str(part),
            source=str(origin),
            exact=len(equal),
            distinct=len(np.unique(digests[equal])),
            near=len(np.setdiff1d(copy[here], equal)),
            other_label=len(np.unique(copy[here & other_label])),
        )


def _repeats(digests: NDArray[np.str_], pairs: NDArray[np.int64], parts: NDArray[np.str_]) -> set[int]:
    """Pieces that are copies of one that is held out longer, or equal to an earlier piece of training."""
    first, second = pairs[:, 0], pairs[:, 1]
    # Folds are held out in turn, and clips in no part never: nothing of them is taken away.
    longer = np.array([SPLITS.index(part) if part in SPLITS else -1 for part in parts], np.int64)
    split = (longer[first] >= 0) & (longer[second] >= 0)
    twins = (longer[first] == 0) & (longer[second] == 0) & (digests[first] == digests[second])
    return {
        *first[split & (longer[first] < longer[second])].tolist(),
        *second[split & (longer[first] > longer[second])].tolist(),
        *second[twins].tolist(),
    }


def _shared_sources(manifest: Manifest, files: dict[int, str]) -> dict[str, tuple[str, ...]]:
    """Videos and sequences that more than one part has a piece of, a video under whatever names it lies there.

    Whole videos under two names are copies, not pieces. Of sequences those pieces are known that `seqfer manifest`
    made, by their ids.
    """
    pieces: dict[str, list[ClipRecord]] = defaultdict(list)
    for position, record in enumerate(manifest.records):
        source = files.get(position, str(record.path)) if is_video(record) else image_of(record)
        if record.part and source:
            pieces[source].append(record)
    shared: dict[str, tuple[str, ...]] = {}
    for records in pieces.values():
        parts = {record.part for record in records}
        whole = all((record.start_s, record.end_s, record.frames) == (0, None, ()) for record in records)
        if len(parts) > 1 and not (whole and len({record.path for record in records}) > 1):
            name = str(records[0].path) if is_video(records[0]) else image_of(records[0])
            shared[name] = tuple(sorted(parts, key=part_rank))
    return dict(sorted(shared.items()))


def _missing(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for part in sorted({record.part for record in manifest.records}, key=part_rank):
        present = {record.label for record in manifest.records if record.part == part}
        yield from ((part, label) for label in manifest.labels if label not in present)


def _by_ranks(parts: tuple[str, str]) -> tuple[int, int]:
    return part_rank(parts[0]), part_rank(parts[1])
