from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from seqfer.datasets.audit import Audit, Copies, audit, cleaned
from seqfer.datasets.splits import SplitPlan, split
from seqfer.datasets.types import ClipRecord, Manifest
from seqfer.demo import portrait_path
from seqfer.files import sha256_of
from seqfer.video.stills import read_image
from tests.media import write_clip

LABELS = ("happy", "sad")


def noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (48, 48), np.uint8)


def stills(folder: Path, images: dict[str, NDArray[np.uint8]], **labels: str) -> list[ClipRecord]:
    """A clip for each image, called `<split>_…`; labels in turn where none is given."""
    records = []
    for index, (name, image) in enumerate(images.items()):
        path = folder / f"{name}.png"
        Image.fromarray(image).save(path)
        label = labels.get(name, LABELS[index % 2])
        records.append(ClipRecord(name, path, label, split=name.partition("_")[0]))
    return records


@pytest.fixture(scope="module")
def face() -> NDArray[np.uint8]:
    height, width, _ = (image := read_image(portrait_path())).shape
    return np.asarray(Image.fromarray(image).crop((width // 4, height // 6, width * 3 // 4, height // 2)))


def found_in(records: list[ClipRecord], leaky: str = "") -> Audit:
    return audit(Manifest(tuple(records), leaky))


def test_nothing_is_wrong_with_different_pictures(tmp_path: Path) -> None:
    names = ("train_1", "train_2", "test_1", "test_2")
    found = found_in(stills(tmp_path, {name: noise(seed) for seed, name in enumerate(names)}))
    assert found == Audit(4, {}, {}, (), (), (), (), frozenset())
    assert not found.leaks


def test_copies_are_counted_on_the_side_that_is_held_out_longer(tmp_path: Path) -> None:
    images = {"test_1": noise(1), "train_1": noise(1), "train_2": noise(2), "validation_1": noise(2)}
    images |= {"validation_2": noise(2), "test_2": noise(1), "train_3": noise(3)}
    found = found_in(stills(tmp_path, images, test_1="sad", train_1="happy", test_2="happy"))
    assert found.copies == (
        Copies("validation", "train", exact=2, distinct=1, near=0, other_label=1),
        Copies("validation", "validation", exact=1, distinct=1, near=0, other_label=1),
        Copies("test", "train", exact=2, distinct=1, near=0, other_label=1),
        Copies("test", "test", exact=1, distinct=1, near=0, other_label=1),
    )
    assert found.leaks
    assert found.repeats == {"train_1", "train_2"}


def test_copies_are_named_in_pairs_what_is_held_out_longer_first(tmp_path: Path, face: NDArray[np.uint8]) -> None:
    smaller = np.asarray(Image.fromarray(face).resize((64, 64)))
    images = {
        "test_1": noise(1),
        "validation_1": noise(2),
        "train_1": noise(1),
        "train_2": face,
        "test_2": smaller,
    }
    found = found_in(stills(tmp_path, images | {"train_3": noise(1)}))
    assert [(pair.copy.clip_id, pair.source.clip_id, pair.exact) for pair in found.pairs] == [
        ("test_1", "train_1", True),
        ("test_1", "train_3", True),
        ("test_2", "train_2", False),
        ("train_3", "train_1", True),
    ]


def test_clips_that_share_several_pictures_are_one_pair(tmp_path: Path, face: NDArray[np.uint8]) -> None:
    face = np.asarray(Image.fromarray(face).convert("L").resize((48, 48)))
    darker = (face * 0.9).astype(np.uint8)
    clips: list[ClipRecord] = []
    for name, images in {"a": (face, noise(1)), "b": (darker, noise(1), noise(2))}.items():
        (tmp_path / name).mkdir()
        for index, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / name / f"{index}.png")
        clips.append(ClipRecord(name, tmp_path / name, LABELS[len(clips)], fold=len(clips)))
    (pair,) = found_in(clips).pairs
    assert (pair.copy.clip_id, pair.source.clip_id, pair.exact) == ("b", "a", True)


def test_repeats_within_training_are_no_leak_but_dropped_once(tmp_path: Path) -> None:
    images = {f"train_{k}": noise(k % 2) for k in range(4)} | {"test_1": noise(9), "test_2": noise(8)}
    records = stills(tmp_path, images)
    found = found_in(records)
    assert found.copies == (Copies("train", "train", exact=2, distinct=2, near=0, other_label=0),)
    assert not found.leaks
    manifest = cleaned(Manifest(tuple(records)), found)
    assert [record.clip_id for record in manifest.records] == ["train_0", "train_1", "test_1", "test_2"]


def test_near_copies_of_held_out_pictures_leave_training_and_never_the_test(
    tmp_path: Path, face: NDArray[np.uint8]
) -> None:
    smaller = np.asarray(Image.fromarray(face).resize((64, 64)))
    images = {"train_1": face, "train_2": noise(1), "test_1": smaller, "test_2": noise(2)}
    records = stills(tmp_path, images)
    found = found_in(records)
    assert found.copies == (Copies("test", "train", exact=0, distinct=0, near=1, other_label=0),)
    kept = cleaned(Manifest((*records, *stills(tmp_path, {"train_9": noise(9)}))), found).records
    assert [record.clip_id for record in kept] == ["train_2", "test_1", "test_2", "train_9"]


def test_copies_of_test_pictures_leave_validation_and_repeats_in_there_stay(tmp_path: Path) -> None:
    """What chooses an epoch must not have seen the test; a picture that it holds twice does no harm."""
    images = {
        "validation_1": noise(1),
        "validation_2": noise(2),
        "validation_3": noise(2),
        "train_1": noise(3),
        "test_1": noise(1),
        "test_2": noise(4),
        "test_3": noise(4),
    }
    records = stills(tmp_path, images)
    kept = cleaned(Manifest(tuple(records)), found_in(records)).records
    assert [record.clip_id for record in kept] == [
        "validation_2",
        "validation_3",
        "train_1",
        "test_1",
        "test_2",
        "test_3",
    ]


def test_of_folds_and_clips_in_no_split_nothing_is_taken(tmp_path: Path) -> None:
    records = stills(tmp_path, {"train_1": noise(1), "train_2": noise(1), "train_3": noise(1)})
    for changed in (
        [replace(r, split="", fold=k) for k, r in enumerate(records)],
        [replace(r, split="") for r in records],
        [replace(r, split="test" if k else "") for k, r in enumerate(records)],
        [replace(r, split="" if k else "test") for k, r in enumerate(records)],
    ):
        assert found_in(changed).repeats == frozenset()


def test_videos_are_compared_as_files_and_by_their_bounds(tmp_path: Path) -> None:
    one = write_clip(tmp_path / "one.mp4", [k / 25 for k in range(10)])
    (tmp_path / "copy.mp4").write_bytes(one.read_bytes())
    records = [
        ClipRecord("a", one, "happy", split="train"),
        ClipRecord("b", tmp_path / "copy.mp4", "happy", split="test"),
        ClipRecord("c", one, "sad", start_s=0.1, end_s=0.2, split="train"),
        ClipRecord("d", one, "sad", start_s=0.2, end_s=0.3, split="test"),
    ]
    found = found_in(records)
    assert found.copies == (Copies("test", "train", exact=1, distinct=1, near=0, other_label=0),)
    assert found.sources == {str(one): ("train", "test")}
    assert found.repeats == {"a"}


@pytest.mark.parametrize(
    ("first", "second"), [((0.0, 0.2), (0.2, 0.4)), ((0.0, None), (0.1, 0.4))], ids=["halves", "whole and part"]
)
def test_pieces_of_a_video_are_known_under_any_name(
    tmp_path: Path, first: tuple[float, float | None], second: tuple[float, float | None]
) -> None:
    one = write_clip(tmp_path / "one.mp4", [k / 25 for k in range(10)])
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(one.read_bytes())
    records = [
        ClipRecord("a", one, "happy", start_s=first[0], end_s=first[1], split="train"),
        ClipRecord("b", copy, "sad", start_s=second[0], end_s=second[1], split="test"),
    ]
    found = found_in(records)
    assert found.sources == {str(one): ("train", "test")}
    assert found.leaks


def test_a_hash_in_a_name_makes_no_sequence(tmp_path: Path) -> None:
    names = ("train_#selfie0", "train_#selfie1", "test_#selfie2", "test_#selfie3")
    records = stills(tmp_path, {name: noise(seed) for seed, name in enumerate(names)})
    found = found_in([replace(record, clip_id=f"happy/{record.clip_id[-8:]}") for record in records])
    assert found.sources == {}
    assert not found.leaks


def test_a_video_is_read_once_for_all_its_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = write_clip(tmp_path / "a.mp4", [0, 0.1, 0.2])
    read: list[Path] = []

    def watched(path: Path) -> str:
        read.append(path)
        return sha256_of(path)

    monkeypatch.setattr("seqfer.datasets.audit.sha256_of", watched)
    bounds = [(0.0, 0.1), (0.1, 0.2), (0.0, 0.1)]
    records = [ClipRecord(f"{k}", video, LABELS[k % 2], *pair, split="train") for k, pair in enumerate(bounds)]
    found = found_in(records)
    assert read == [video]
    assert [(pair.copy.clip_id, pair.source.clip_id) for pair in found.pairs] == [("2", "0")]


def test_pictures_of_one_sequence_are_alike_without_harm_until_they_are_parted(
    tmp_path: Path, face: NDArray[np.uint8]
) -> None:
    for name in ("S1_001_1.png", "S1_001_2.png"):
        Image.fromarray(face).save(tmp_path / name)
    Image.fromarray(noise(1)).save(tmp_path / "S2_001_1.png")
    records = [
        ClipRecord("S1_001", tmp_path, "happy", frames=("S1_001_1.png", "S1_001_2.png")),
        ClipRecord("S2_001", tmp_path, "sad", frames=("S2_001_1.png",)),
    ]
    assert not found_in(records).copies
    parted = next(
        manifest
        for seed in range(20)
        if (manifest := split(records, SplitPlan("image", (0.5, 0.5)), seed)).records[0].split
        != manifest.records[1].split
    )
    found = audit(parted)
    assert found.sources == {"S1_001": ("train", "test")}
    assert found.leaks


def test_people_absent_labels_and_unreadable_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.png").write_text("no picture")
    records = [
        ClipRecord("a", tmp_path / "empty.mp4", "happy", subject_id="S1", split="train"),
        ClipRecord("b", tmp_path / "text.png", "sad", subject_id="S1", split="test"),
        ClipRecord("c", tmp_path / "gone.png", "sad", subject_id="S2", split="train"),
        ClipRecord("d", tmp_path / "fer2013.csv", "sad", frames=("1",), split="train"),
    ]
    found = found_in(records, leaky="as asked")
    assert found.subjects == {"S1": ("train", "test")}
    assert found.missing == (("test", "happy"),)
    assert [record.clip_id for record, _ in found.unreadable] == ["a", "b", "c", "d"]
    assert found.compared == 0


def test_progress_counts_every_clip(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    records = stills(tmp_path, {"train_1": noise(1), "train_2": noise(2)})
    audit(Manifest(tuple(records)), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
