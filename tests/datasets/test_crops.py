from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seqfer.datasets.crops import Cropper, CropSettings, _main_face
from seqfer.datasets.types import ClipRecord
from seqfer.demo import portrait_path
from seqfer.errors import DatasetError, OptionError, VideoError
from seqfer.faces.types import Detection, FrameFaces, TrackedFace
from seqfer.preprocess import Preprocess
from seqfer.video.opening import open_video
from seqfer.video.stills import read_image
from seqfer.video.types import FrameStream
from tests.media import numbered_image, read_number, write_clip

WHOLE = CropSettings(Preprocess(64, 3), faces="none")


def crops(record: ClipRecord, settings: CropSettings) -> tuple[np.ndarray, tuple[float, ...]]:
    with Cropper(settings) as cropper:
        return cropper.crops_of(record)


def numbers(record: ClipRecord) -> list[int]:
    return [read_number(crop) for crop in crops(record, WHOLE)[0]]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", [k / 10 for k in range(20)], size=(64, 64))


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({}, list(range(20))),
        ({"start_s": 0.5, "end_s": 1.0}, [5, 6, 7, 8, 9]),
        ({"start_s": 1.85}, [19]),
        ({"frames": ("3", "17")}, [3, 17]),
    ],
)
def test_a_clip_is_the_part_of_its_video_that_it_says(
    video: Path, bounds: dict[str, Any], expected: list[int]
) -> None:
    record = ClipRecord("a", video, "happy", **bounds)
    assert numbers(record) == expected
    times = crops(record, WHOLE)[1]
    assert times == pytest.approx([number / 10 for number in expected])  # the video's own


def test_clips_of_one_video_are_read_in_one_go_and_are_what_they_are_alone(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def watched(path: Path) -> FrameStream:
        opened.append(path)
        return open_video(path)

    monkeypatch.setattr("seqfer.datasets.crops.open_video", watched)
    asked = [("1",), ("2", "4"), ("5",), ("5",), ("3",), ("18", "19"), ("25",), ("0",)]
    found: list[tuple[str, ...]] = []
    with Cropper(WHOLE) as cropper:
        for frames in asked:
            try:
                shown, _ = cropper.crops_of(ClipRecord("a", video, "happy", frames=frames))
            except DatasetError:
                found.append(())
                continue
            found.append(tuple(str(read_number(crop)) for crop in shown))
        whole, _ = cropper.crops_of(ClipRecord("a", video, "happy"))
    assert found == [frames if frames != ("25",) else () for frames in asked]
    assert [read_number(crop) for crop in whole] == list(range(20))
    # Again only where a frame is wanted that lies behind: the second 5, 3, 0 and the whole.
    assert len(opened) == 1 + 4


def test_parts_of_one_video_are_read_in_one_go_also_where_they_meet(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def watched(path: Path) -> FrameStream:
        opened.append(path)
        return open_video(path)

    monkeypatch.setattr("seqfer.datasets.crops.open_video", watched)
    # The last two begin behind where the one before them ended, and anew.
    asked = [(0.2, 0.5), (0.5, 0.7), (1.0, 1.2), (1.1, 1.3), (0.0, 0.2)]
    found = []
    with Cropper(WHOLE) as cropper:
        for start_s, end_s in asked:
            shown, _ = cropper.crops_of(ClipRecord("a", video, "happy", start_s, end_s))
            found.append([read_number(crop) for crop in shown])
    assert found == [[2, 3, 4], [5, 6], [10, 11], [11, 12], [0, 1]]
    assert len(opened) == 3


def test_no_clip_is_cut_out_by_what_was_seen_in_another_one(demo_clip: Path) -> None:
    records = [ClipRecord("a", demo_clip, "happy", frames=(str(k),)) for k in (0, 60, 61, 200)]
    alone = [crops(record, CropSettings())[0] for record in records]
    with Cropper(CropSettings()) as cropper:
        together = [cropper.crops_of(record)[0] for record in records]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("settings", [WHOLE, CropSettings(faces="haar")])
def test_a_clip_beyond_the_end_is_refused(video: Path, settings: CropSettings) -> None:
    with pytest.raises(DatasetError, match="no frame between the clip's bounds"):
        crops(ClipRecord("a", video, "happy", start_s=5), settings)


def test_pictures_are_spaced_by_their_rate(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(numbered_image(number, 64, 64)).save(tmp_path / f"{number}.png")
    record = ClipRecord("a", tmp_path, "happy")
    assert numbers(record) == [0, 1, 2]
    _, times = crops(record, CropSettings(Preprocess(64, 3), "none", picture_rate=4))
    assert times == (0.0, 0.25, 0.5)
    Image.fromarray(numbered_image(4, 64, 64)).save(tmp_path / "4.png")
    _, times = crops(record, CropSettings(Preprocess(64, 3), "none", picture_rate=4))
    assert times == (0.0, 0.25, 0.5, 1.0)  # one is missing, as when the folder is annotated


@pytest.mark.parametrize(("width", "height"), [(96, 64), (64, 96), (40, 40)])
def test_a_whole_picture_is_its_middle_square(tmp_path: Path, width: int, height: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 2 - 8 : height // 2 + 8, width // 2 - 8 : width // 2 + 8] = 200
    Image.fromarray(image).save(tmp_path / "a.png")
    (crop,), _ = crops(ClipRecord("a", tmp_path / "a.png", "happy"), WHOLE)
    rows, columns = np.nonzero(crop[..., 0] > 100)
    assert rows.mean() == pytest.approx(31.5, abs=1)
    assert columns.mean() == pytest.approx(31.5, abs=1)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=1)


def test_grey_pictures_stay_as_they_are(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    frames, times = crops(ClipRecord("a", tmp_path / "a.png", "happy"), CropSettings(faces="none"))
    assert frames.shape == (1, 48, 48, 1)
    assert (frames[0, :, :, 0] == grey).all()
    assert times == (0.0,)


class TestFaces:
    def test_the_face_of_a_video_is_followed(self, demo_clip: Path) -> None:
        frames, times = crops(ClipRecord("a", demo_clip, "happy", start_s=1, end_s=2), CropSettings())
        assert frames.shape == (25, 48, 48, 1)
        assert times == pytest.approx([1 + k / 25 for k in range(25)])
        # The same face, hardly moving within its crops.
        assert np.abs(np.diff(frames.astype(float), axis=0)).mean() < 12

    def test_the_face_that_takes_most_room_is_the_main_one(self, tmp_path: Path) -> None:
        portrait = Image.fromarray(read_image(portrait_path()))
        large = portrait.resize((256, 300))
        scene = Image.new("RGB", (640, 320), (90, 90, 90))
        scene.paste(large.resize((128, 150)), (40, 40))
        scene.paste(large, (330, 10))
        scene.save(tmp_path / "two.png")
        Image.new("RGB", (640, 320), (90, 90, 90)).save(tmp_path / "none.png")
        lone = Image.new("RGB", (640, 320), (90, 90, 90))
        lone.paste(large, (330, 10))
        lone.save(tmp_path / "one.png")
        (two,), _ = crops(ClipRecord("a", tmp_path / "two.png", "happy"), CropSettings())
        (one,), _ = crops(ClipRecord("a", tmp_path / "one.png", "happy"), CropSettings())
        assert np.abs(two.astype(float) - one).mean() < 3
        with pytest.raises(DatasetError, match="no face was found"):
            crops(ClipRecord("a", tmp_path / "none.png", "happy"), CropSettings())


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    for name in ("a.mp4", "gone.png"):
        with pytest.raises(VideoError, match=name):
            crops(ClipRecord("a", tmp_path / name, "happy"), WHOLE)
    with pytest.raises(DatasetError, match="frames of a video are numbers, not '0-24'"):
        crops(ClipRecord("a", tmp_path / "a.mp4", "happy", frames=("0-24",)), WHOLE)


@pytest.mark.parametrize(
    ("changes", "message"), [({"faces": "dlib"}, "known: mediapipe"), ({"picture_rate": 0}, "rate")]
)
def test_settings_check_themselves(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        CropSettings(**changes)


def test_the_main_face_is_the_larger_one_not_the_one_that_stays_longer() -> None:
    def seen(track: int, side: float) -> TrackedFace:
        return TrackedFace(track, Detection((0, 0, side, side), 0.9), np.full((8, 8, 3), track, np.uint8))

    frames = [FrameFaces(k, k / 25, (seen(1, 20), *([seen(2, 90)] if k > 1 else []))) for k in range(6)]
    assert [crop[0, 0, 0] for _, crop in _main_face(frames)] == [2] * 4


def test_a_glimpse_of_a_large_face_is_not_the_main_one() -> None:
    def seen(track: int, side: float, score: float) -> TrackedFace:
        return TrackedFace(track, Detection((0, 0, side, side), score), np.full((8, 8, 1), track, np.uint8))

    doubtful = [FrameFaces(k, k / 25, (seen(1, 900, 0.6), seen(2, 20, 0.9))) for k in range(6)]
    short = [FrameFaces(k, k / 25, (*([seen(1, 900, 0.9)] if k < 2 else []), seen(2, 20, 0.9))) for k in range(6)]
    for frames in (doubtful, short):
        assert [crop[0, 0, 0] for _, crop in _main_face(frames)] == [2] * 6
