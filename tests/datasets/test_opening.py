"""Opening a manifest's clips: a cache that was carried here stands for the files, else clips are prepared."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqfer.datasets import prepare
from seqfer.datasets.manifest import write_manifest
from seqfer.datasets.opening import open_clips
from seqfer.datasets.packed import read_packed, write_packed
from seqfer.datasets.types import ClipRecord, Manifest
from seqfer.errors import DatasetError, SeqferError
from seqfer.preprocess import CropGeometry, Preprocess

PREPROCESS = Preprocess(16, 1)
RECORDS = tuple(
    ClipRecord(f"clip {k}", Path(f"{k}.png"), ("happy", "sad")[k % 2], subject_id=f"S{k}", split="train")
    for k in range(5)
)


@pytest.fixture
def carried(tmp_path: Path) -> Path:
    """A folder with the cache of five clips, of which one could not be prepared; their files are not here."""
    folder = tmp_path / "cache"
    folder.mkdir()
    np.save(tmp_path / "part.npy", np.arange(5 * 256, dtype=np.uint8).reshape(5, 16, 16, 1))
    prepared = [(tmp_path / "part.npy", k, (0.0,)) for k in range(5)]
    write_packed(
        folder, RECORDS, [*prepared[:3], "no face was found", prepared[4]], PREPROCESS, "made", "mediapipe", 25.0
    )
    return folder


def manifest(folder: Path, *records: ClipRecord) -> Path:
    path = folder / "m.csv"
    write_manifest(Manifest(records), path)
    return path


def test_a_carried_cache_stands_for_the_files_with_what_the_manifest_says_now(
    carried: Path, tmp_path: Path
) -> None:
    changed = [
        replace(record, label=label, subject_id="", split="test" if k == 4 else "train", fold=k)
        for k, (record, label) in enumerate(zip(RECORDS, ("sad", "sad", "fear", "sad", "happy"), strict=True))
    ]
    order = [changed[k] for k in (4, 3, 2, 0)]
    packed, found = open_clips(manifest(tmp_path, *order), PREPROCESS, cache=carried)
    assert [record.clip_id for record in found.records] == ["clip 4", "clip 3", "clip 2", "clip 0"]
    assert [(clip.clip_id, clip.label, clip.subject_id, clip.split, clip.fold) for clip in packed.clips] == [
        ("clip 4", "happy", "", "test", 4),
        ("clip 2", "fear", "", "train", 2),
        ("clip 0", "sad", "", "train", 0),
    ]
    assert packed.left_out == {"clip 3": "no face was found"}
    whole = read_packed(carried)
    for clip in packed.clips:
        own = next(other for other in whole.clips if other.clip_id == clip.clip_id)
        assert (packed.frames_of(clip) == whole.frames_of(own)).all()
    assert packed.frames_sha256 == whole.frames_sha256


def test_what_was_left_out_counts_only_where_the_manifest_has_it(carried: Path, tmp_path: Path) -> None:
    packed, _ = open_clips(manifest(tmp_path, *RECORDS[:3]), PREPROCESS, cache=str(carried))
    assert len(packed) == 3
    assert packed.left_out == {}


def test_a_clip_that_is_not_in_the_cache_is_one_line(carried: Path, tmp_path: Path) -> None:
    path = manifest(tmp_path, *RECORDS, ClipRecord("new", Path("new.png"), "fear"))
    with pytest.raises(DatasetError) as error:
        open_clips(path, PREPROCESS, cache=carried)
    assert str(error.value) == (
        f"{carried}: does not match m.csv: clip 'new' is not in it; name no cache, and the clips are prepared "
        "beside the manifest"
    )


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (
            Preprocess(32, 1),
            "its crops are 16 x 16 x 1; the model reads 32 x 32 x 1",
        ),
        (
            Preprocess(16, 3),
            "its crops are 16 x 16 x 1; the model reads 16 x 16 x 3",
        ),
        (Preprocess(16, 1, CropGeometry(margin=1.5)), "its crops are framed, or made grey, in another way"),
        (Preprocess(16, 1, grey="rgb2gray"), "its crops are framed, or made grey, in another way"),
    ],
)
def test_crops_for_another_model_are_one_line(
    carried: Path, tmp_path: Path, wanted: Preprocess, problem: str
) -> None:
    with pytest.raises(DatasetError) as error:
        open_clips(manifest(tmp_path, *RECORDS), wanted, cache=carried)
    assert str(error.value).startswith(f"{carried}: {problem}")
    assert str(error.value).endswith("; choose another cache")


def test_a_damaged_cache_is_one_line(carried: Path, tmp_path: Path) -> None:
    (carried / "frames.npy").unlink()
    with pytest.raises(DatasetError, match="prepare") as error:
        open_clips(manifest(tmp_path, *RECORDS), PREPROCESS, cache=carried)
    assert "\n" not in str(error.value)


def test_without_a_cache_it_is_prepared_where_it_was_named_or_beside_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for record in RECORDS:
        Image.new("L", (16, 16), 10 * int(record.path.stem)).save(tmp_path / record.path)
    path = manifest(tmp_path, *(replace(record, path=tmp_path / record.path) for record in RECORDS))
    seen: list[tuple[int, int]] = []
    packed, _ = open_clips(path, PREPROCESS, "none", progress=lambda done, total: seen.append((done, total)))
    assert [int(packed.frames_of(clip).mean()) for clip in packed.clips] == [0, 10, 20, 30, 40]
    assert seen[-1] == (5, 5)
    assert read_packed(tmp_path / "m.cache-none-16x1").clips == packed.clips

    # The same again is at hand; a named folder that holds no cache yet is filled.
    def refused(*_: object) -> None:
        raise DatasetError("cache", "is prepared")

    monkeypatch.setattr(prepare, "_prepare_pieces", refused)
    assert open_clips(path, PREPROCESS, "none")[0].clips == packed.clips
    framed = Preprocess(16, 1, CropGeometry(margin=1.5, align=False))
    for open_others in (
        partial(open_clips, path, PREPROCESS, "none", tmp_path / "named"),
        partial(open_clips, path, PREPROCESS, "none", picture_rate=12.5),
        partial(open_clips, path, framed, "haar"),  # whoever goes to and fro between two framings finds both
    ):
        with pytest.raises(SeqferError, match="is prepared"):
            open_others()
    assert open_clips(path, framed, "none")[0].clips == packed.clips  # taken whole, however faces are framed
    folders = {folder.name for folder in tmp_path.iterdir() if folder.is_dir()}
    usual = "m.cache-none-16x1"
    assert folders == {usual, f"{usual}-12.5fps", "m.cache-haar-16x1-margin1.5-up0.107-unaligned", "named"}


def test_a_cache_of_other_files_or_other_settings_is_refused(carried: Path, tmp_path: Path) -> None:
    moved = [replace(record, path=Path("elsewhere") / record.path.name) for record in RECORDS]
    packed, _ = open_clips(manifest(tmp_path, *moved), PREPROCESS, cache=carried)
    assert len(packed) == 4  # where files lie is not what they are
    other = [replace(RECORDS[0], path=RECORDS[1].path), *RECORDS[1:]]
    with pytest.raises(DatasetError, match="clip 'clip 0' comes from elsewhere; name no cache"):
        open_clips(manifest(tmp_path, *other), PREPROCESS, cache=carried)
    with pytest.raises(DatasetError, match="faces mediapipe and 25 pictures per second, not faces none and 25"):
        open_clips(manifest(tmp_path, *RECORDS), PREPROCESS, "none", carried)
    with pytest.raises(DatasetError, match="not faces mediapipe and 5 pictures per second"):
        open_clips(manifest(tmp_path, *RECORDS), PREPROCESS, cache=carried, picture_rate=5)
