"""How many clips, subjects and seconds a manifest has of each expression, in each split or fold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from seqfer.datasets.types import ClipRecord, Manifest, part_rank


@dataclass(frozen=True)
class Tally:
    """What there is of one expression, or of all (`label` "all"), in one part of a manifest.

    Attributes:
        part: a split, "fold 0" and so on, or "" for clips that are in none.
        label: the expression.
        clips: how many.
        subjects: how many known ones.
        seconds: of all clips together.
    """

    part: str
    label: str
    clips: int
    subjects: int
    seconds: float


def tally(manifest: Manifest, seconds: Mapping[str, float]) -> list[Tally]:
    """A row for each part and expression, then one for the part; parts in their usual order.

    Args:
        manifest: what to count.
        seconds: of each clip, by its id.
    """
    parts: dict[str, list[ClipRecord]] = defaultdict(list)
    for record in manifest.records:
        parts[record.part].append(record)
    rows = []
    for part in sorted(parts, key=part_rank):
        for label in (*manifest.labels, "all"):
            chosen = [record for record in parts[part] if label in (record.label, "all")]
            subjects = {record.subject_id for record in chosen} - {""}
            total = sum(seconds.get(record.clip_id, 0.0) for record in chosen)
            rows.append(Tally(part, label, len(chosen), len(subjects), total))
    return rows
