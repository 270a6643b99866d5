from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from seqfer.datasets.pictures import PictureReader
from seqfer.datasets.splits import SplitPlan, deal, images_of, split, without_split
from seqfer.datasets.types import ClipRecord
from seqfer.errors import OptionError
from tests.media import write_clip

LABELS = ("angry", "happy", "sad")


def clips(subjects: int, each: int) -> list[ClipRecord]:
    """`each` clips of every subject, labels in turn."""
    return [
        ClipRecord(f"S{s}_{i}", Path(f"{s}_{i}.mp4"), LABELS[(s + i) % 3], subject_id=f"S{s}")
        for s in range(subjects)
        for i in range(each)
    ]


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("official", SplitPlan("official")),
        ("subject:70/15/15", SplitPlan("subject", (0.7, 0.15, 0.15))),
        ("clip:80/20", SplitPlan("clip", (0.8, 0.2))),
        ("image:80/20", SplitPlan("image", (0.8, 0.2))),
        ("kfold:10", SplitPlan("kfold", folds=10)),
    ],
)
def test_a_plan_is_read(text: str, plan: SplitPlan) -> None:
    assert SplitPlan.parse(text) == plan


@pytest.mark.parametrize(
    "text",
    [
        *("", "official:1", "random:80/20", "kfold", "kfold:1", "kfold:x", "subject", "subject:"),
    ],
)
def test_what_is_no_plan_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(OptionError, match="known: official, subject:70/15/15"):
        SplitPlan.parse(text)


@pytest.mark.parametrize("shares", ["100", "70/20", "100/0", "a/b", "40/30/20/10", "-10/110", "nan/50"])
def test_shares_that_are_none_are_refused_with_an_example(shares: str) -> None:
    with pytest.raises(OptionError, match="two or three positive numbers that make 100, as 70/15/15"):
        SplitPlan.parse(f"subject:{shares}")


class TestSubjects:
    def test_nobody_is_on_two_sides_and_every_class_on_each(self) -> None:
        manifest = split(clips(20, 6), SplitPlan.parse("subject:70/15/15"))
        sides = defaultdict(set)
        for record in manifest.records:
            sides[record.subject_id].add(record.split)
        assert all(len(found) == 1 for found in sides.values())
        assert Counter(record.split for record in manifest.records) == {"train": 84, "validation": 18, "test": 18}
        for part in ("train", "validation", "test"):
            assert {record.label for record in manifest.of_split(part)} == set(LABELS)
        assert manifest.leaky == ""

    def test_folds_part_subjects_and_share_classes(self) -> None:
        manifest = split(clips(20, 6), SplitPlan.parse("kfold:5"))
        assert Counter(record.fold for record in manifest.records) == dict.fromkeys(range(5), 24)
        assert all(not record.split for record in manifest.records)

    def test_the_seed_decides_and_nothing_else(self) -> None:
        records, plan = clips(20, 3), SplitPlan.parse("subject:70/15/15")
        assert split(records, plan, seed=1) == split(records, plan, seed=1)
        assert split(records, plan, seed=1) != split(records, plan, seed=2)
        shuffled = split(records[::-1], plan, seed=1)
        assert {r.clip_id: r.split for r in shuffled.records} == {
            r.clip_id: r.split for r in split(records, plan, seed=1).records
        }

    @pytest.mark.parametrize("text", ["subject:80/20", "kfold:2"])
    def test_a_clip_of_nobody_is_refused(self, text: str) -> None:
        records = [*clips(3, 2), replace(clips(1, 1)[0], clip_id="x", subject_id="")]
        with pytest.raises(OptionError, match="clip 'x' has no subject_id"):
            split(records, SplitPlan.parse(text))

    def test_fewer_subjects_than_parts_are_refused(self) -> None:
        with pytest.raises(OptionError, match="cannot be dealt out to 3 parts"):
            split(clips(2, 5), SplitPlan.parse("subject:70/15/15"))


class TestLeaks:
    def test_clips_of_one_subject_may_be_parted_only_with_a_mark(self) -> None:
        assert "subjects" in split(clips(5, 10), SplitPlan.parse("clip:80/20")).leaky
        strangers = [replace(record, subject_id="") for record in clips(5, 10)]
        assert split(strangers, SplitPlan.parse("clip:80/20")).leaky == ""

    def test_images_become_clips_of_their_own_and_always_bear_the_mark(self) -> None:
        sequences = [replace(r, frames=("1.png", "2.png", "3.png"), subject_id="") for r in clips(4, 5)]
        manifest = split(sequences, SplitPlan.parse("image:80/20"))
        assert Counter(record.split for record in manifest.records) == {"train": 48, "test": 12}
        assert manifest.records[1].clip_id == "S0_0#2.png"
        assert manifest.records[1].frames == ("2.png",)
        assert manifest.leaky.startswith("image")

    @pytest.mark.parametrize(("plan", "leaky"), [("subject:50/50", ""), ("kfold:2", ""), ("clip:50/50", "clip")])
    def test_images_can_go_with_their_clips_and_subjects(self, plan: str, leaky: str) -> None:
        sequences = [replace(r, frames=("1.png", "2.png", "3.png")) for r in clips(6, 5)]
        whole = split(sequences, SplitPlan.parse(plan))
        manifest = split(sequences, SplitPlan.parse(plan), images=True)
        assert len(manifest.records) == 3 * len(sequences)
        assert [record.part for record in manifest.records[::3]] == [record.part for record in whole.records]
        assert [record.frames for record in manifest.records[:3]] == [("1.png",), ("2.png",), ("3.png",)]
        parts = {record.clip_id.partition("#")[0]: set[str]() for record in manifest.records}
        for record in manifest.records:
            parts[record.clip_id.partition("#")[0]].add(record.part)
        assert all(len(found) == 1 for found in parts.values())
        assert manifest.leaky == whole.leaky
        assert manifest.leaky.startswith(leaky)

    def test_images_without_a_split_and_of_an_official_one(self) -> None:
        sequences = [replace(r, frames=("1.png", "2.png"), split="test") for r in clips(2, 2)]
        assert [r.split for r in split(sequences, SplitPlan("official"), images=True).records] == ["test"] * 8
        assert [r.split for r in without_split(sequences, images=True).records] == [""] * 8

    def test_a_video_is_parted_into_its_frames_between_its_bounds(self, tmp_path: Path) -> None:
        write_clip(tmp_path / "a.mp4", [k / 10 for k in range(10)])
        record = ClipRecord("a", tmp_path / "a.mp4", "happy", start_s=0.25, end_s=0.6)
        assert [image.frames for image in images_of(record)] == [("3",), ("4",), ("5",)]

    def test_a_folder_of_pictures_is_parted_by_their_names(self, tmp_path: Path) -> None:
        for number in (8, 9, 10):
            Image.new("L", (8, 8)).save(tmp_path / f"{number}.png")
        images = images_of(ClipRecord("a", tmp_path, "happy"))
        assert [image.frames for image in images] == [("8.png",), ("9.png",), ("10.png",)]
        assert [len(list(PictureReader().read(image))) for image in images] == [1, 1, 1]


class TestOfficial:
    def test_it_keeps_what_the_data_set_says(self) -> None:
        records = [replace(r, split="test" if r.subject_id == "S0" else "train") for r in clips(3, 3)]
        assert split(records, SplitPlan("official")).records == tuple(records)

    def test_it_needs_a_split_for_every_clip(self) -> None:
        with pytest.raises(OptionError, match="'S0_0' has no official split"):
            split(clips(3, 3), SplitPlan("official"))

    def test_subjects_that_it_shares_are_marked(self) -> None:
        records = [replace(r, split="train" if i % 2 else "test") for i, r in enumerate(clips(3, 4))]
        assert "official" in split(records, SplitPlan("official")).leaky


def test_without_split_forgets_splits_and_folds() -> None:
    records = [replace(record, split="train", fold=1) for record in clips(2, 3)]
    assert all(record.part == "" for record in without_split(records).records)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(LABELS)), min_size=30, max_size=120),
    st.sampled_from([(0.8, 0.2), (0.7, 0.15, 0.15), (0.25,) * 4]),
    st.integers(0, 5),
)
def test_no_unit_is_parted_and_no_part_is_empty(
    drawn: list[tuple[int, str]], shares: tuple[float, ...], seed: int
) -> None:
    records = [
        ClipRecord(str(i), Path("a.mp4"), label, subject_id=str(subject))
        for i, (subject, label) in enumerate(drawn)
    ]
    units = {record.subject_id for record in records}
    if len(units) < len(shares):
        with pytest.raises(OptionError):
            deal(records, lambda record: record.subject_id, shares, seed)
        return
    parts = deal(records, lambda record: record.subject_id, shares, seed)
    assert set(parts) == set(range(len(shares)))
    assert len({(r.subject_id, part) for r, part in zip(records, parts, strict=True)}) == len(units)


def test_rare_classes_are_dealt_first() -> None:
    """Two subjects alone show disgust, among many of one clip each: each half gets one of them, by any seed."""
    records = [ClipRecord(f"{k}", Path("a.mp4"), "happy", subject_id=f"H{k}") for k in range(60)]
    records += [
        ClipRecord(f"d{s}{k}", Path("a.mp4"), label, subject_id=f"D{s}")
        for s in range(2)
        for k, label in enumerate(("disgust", *["happy"] * 9))
    ]
    for seed in range(10):
        parts = deal(records, lambda record: record.subject_id, (0.5, 0.5), seed)
        shown = {part for record, part in zip(records, parts, strict=True) if record.label == "disgust"}
        assert shown == {0, 1}
