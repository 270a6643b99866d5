from __future__ import annotations

from pathlib import Path

from seqfer.datasets.summary import Tally, tally
from seqfer.datasets.types import ClipRecord, Manifest


def test_each_part_counts_clips_known_subjects_and_seconds() -> None:
    records = (
        ClipRecord("a", Path("a"), "happy", subject_id="S1", split="test"),
        ClipRecord("b", Path("b"), "happy", subject_id="S2", split="train"),
        ClipRecord("c", Path("c"), "sad", subject_id="S2", split="train"),
        ClipRecord("d", Path("d"), "sad", split="train"),
    )
    assert tally(Manifest(records), {"a": 1.0, "b": 2.0, "c": 3.0}) == [
        Tally("train", "happy", 1, 1, 2.0),
        Tally("train", "sad", 2, 1, 3.0),
        Tally("train", "all", 3, 1, 5.0),
        Tally("test", "happy", 1, 1, 1.0),
        Tally("test", "sad", 0, 0, 0.0),
        Tally("test", "all", 1, 1, 1.0),
    ]


def test_folds_stand_in_the_order_of_their_numbers() -> None:
    records = tuple(ClipRecord(str(k), Path("a"), ("happy", "sad")[k % 2], fold=k) for k in range(11))
    parts = [row.part for row in tally(Manifest(records), {}) if row.label == "all"]
    assert parts == [f"fold {k}" for k in range(11)]
