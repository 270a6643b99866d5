from __future__ import annotations

import csv
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from seqfer.datasets.fer2013 import load_fer2013, stills_of
from seqfer.datasets.packed import PackedClip, PackedClips
from seqfer.errors import DatasetError, OptionError
from seqfer.labels import FER7
from seqfer.preprocess import Preprocess
from tests.conftest import SHARED


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (48, 48), dtype=np.uint8)


# (split, class index, picture); the test split repeats training's first picture.
ROWS = [("train", 0, 1), ("train", 3, 2), ("train", 6, 3), ("validation", 3, 4), ("test", 1, 1), ("test", 5, 6)]
USAGE = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}


def as_csv(folder: Path) -> Path:
    path = folder / "fer2013.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for split, label, number in ROWS:
            writer.writerow([label, " ".join(map(str, picture(number).ravel())), USAGE[split]])
    return path


def as_folders(folder: Path, merged: bool = False) -> Path:
    root = folder / "fer"
    for k, (split, label, number) in enumerate(ROWS):
        place = "test" if merged and split == "validation" else split
        path = root / place / FER7.names[label] / f"{USAGE[split]}_{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture(number))
    (root / "train" / "README.txt").write_text("not a picture")
    return root


def as_zip(folder: Path) -> Path:
    root = as_folders(folder)
    path = folder / "fer.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, file.relative_to(root))
    return path


@pytest.mark.parametrize("layout", [as_csv, as_folders, as_zip, lambda folder: as_folders(folder, merged=True)])
def test_every_layout_gives_the_same_stills(tmp_path: Path, layout: object) -> None:
    splits = load_fer2013(layout(tmp_path))  # type: ignore[operator]
    assert {split: len(stills) for split, stills in splits.items()} == {"train": 3, "validation": 1, "test": 2}
    for split, stills in splits.items():
        expected = {(label, picture(number).tobytes()) for s, label, number in ROWS if s == split}
        assert {(int(k), i.tobytes()) for k, i in zip(stills.labels, stills.images, strict=True)} == expected


def test_stills_of_a_cache_are_those_of_its_split() -> None:
    frames = np.stack([picture(number) for *_, number in ROWS])[..., None]
    clips = [
        PackedClip(f"{k}", k, 1, FER7.names[label], "", split, None, (0.0,))
        for k, (split, label, _) in enumerate(ROWS)
    ]
    packed = PackedClips(frames, tuple(clips), Preprocess(48, 1), {}, "made", "f" * 64)
    stills = stills_of(packed, "test")
    assert stills.labels.tolist() == [1, 5]
    assert (stills.images == np.stack([picture(1), picture(6)])).all()
    with pytest.raises(OptionError, match="bored"):
        stills_of(replace(packed, clips=(replace(clips[0], label="bored"),)), "train")


def write_csv(folder: Path, rows: list[list[str]]) -> Path:
    path = folder / "fer2013.csv"
    path.write_text("\n".join(",".join(row) for row in [["emotion", "pixels", "Usage"], *rows]))
    return path


GOOD = " ".join(["7"] * 48 * 48)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (["7", GOOD, "Training"], "line 2 is malformed"),
        (["x", GOOD, "Training"], "line 2 is malformed"),
        (["0", "1 2 3", "Training"], "line 2 is malformed"),
        (["0", GOOD, "Elsewhere"], "line 2 is malformed"),
        (["0", GOOD, "Training"], "holds no validation images"),
    ],
)
def test_malformed_tables_are_named(tmp_path: Path, row: list[str], problem: str) -> None:
    with pytest.raises(DatasetError, match=problem):
        load_fer2013(write_csv(tmp_path, [row]))


def test_other_problems_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        load_fer2013(tmp_path / "nowhere")
    (tmp_path / "fer.zip").write_text("no zip")
    with pytest.raises(DatasetError, match="not a readable zip"):
        load_fer2013(tmp_path / "fer.zip")
    (tmp_path / "fer.tar").write_text("x")
    with pytest.raises(DatasetError, match="neither"):
        load_fer2013(tmp_path / "fer.tar")
    root = as_folders(tmp_path)
    broken = next((root / "train").rglob("*.png"))
    broken.write_bytes(b"broken")
    with pytest.raises(DatasetError, match="is not a readable image"):
        load_fer2013(root)
    cv2.imwrite(str(broken), np.zeros((50, 50), np.uint8))
    with pytest.raises(DatasetError, match="is 50x50, not 48x48"):
        load_fer2013(root)


def test_the_real_set_has_its_known_repeats() -> None:
    path = SHARED / "data" / "fer2013.zip"
    if not path.exists():
        pytest.skip("FER-2013 does not lie beside the project on this machine")
    splits = load_fer2013(path)
    assert {split: len(stills) for split, stills in splits.items()} == {
        "train": 28_709,
        "validation": 3_589,
        "test": 3_589,
    }
    keys = {split: stills.keys() for split, stills in splits.items()}
    assert np.isin(keys["test"], keys["train"]).sum() == 288
    assert np.isin(keys["validation"], keys["train"]).sum() == 280
    assert len(keys["train"]) - len(set(keys["train"])) == 1_236
    assert len(set(keys["test"]) & set(keys["validation"])) == 43
