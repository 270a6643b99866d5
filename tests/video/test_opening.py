from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from seqfer.errors import OptionError, VideoError
from seqfer.video.opening import find_pictures, find_videos, open_video
from tests.media import numbered_image, write_clip


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["b.mp4", "a.MOV", "notes.txt", ".hidden.mp4"], ["a.MOV", "b.mp4"]),
        (["s1/clip.mp4", "s2/clip.avi"], ["s1/clip.mp4", "s2/clip.avi"]),
        (["x/f1.png", "x/f2.png", "y.mp4"], ["x", "y.mp4"]),  # a folder of frames beside a video
        (["f1.png", "f2.png", "f3.png"], ["."]),  # the folder is itself a clip
        (["me.jpg", "you.jpg"], ["me.jpg", "you.jpg"]),  # stills
        (["cover.jpg", "film.mkv"], ["film.mkv"]),  # a picture beside a video is no video
    ],
)
def test_what_a_folder_stands_for(tmp_path: Path, files: list[str], found: list[str]) -> None:
    touch(tmp_path, *files)
    assert find_videos(tmp_path) == [tmp_path / name for name in found]


def test_a_named_file_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "recording.dat")
    assert find_videos(tmp_path / "recording.dat") == [tmp_path / "recording.dat"]


@pytest.mark.parametrize(("name", "problem"), [("nowhere", "no such file"), (".", "holds no video")])
def test_nothing_to_find(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(VideoError, match=problem):
        find_videos(tmp_path / name)


@pytest.mark.parametrize("every", [0, -1])
def test_every_must_be_positive(tmp_path: Path, every: int) -> None:
    with pytest.raises(OptionError, match="every"):
        open_video(tmp_path, every=every)


@pytest.mark.parametrize("rate", [0.0, -5.0, float("inf"), float("nan")])
def test_picture_rate_must_be_positive(tmp_path: Path, rate: float) -> None:
    with pytest.raises(OptionError, match="pictures per second"):
        open_video(tmp_path, picture_rate=rate)


def test_a_rate_may_be_as_slow_as_one_likes(tmp_path: Path) -> None:
    for number in range(2):
        Image.fromarray(numbered_image(number)).save(tmp_path / f"{number}.png")
    with open_video(tmp_path, picture_rate=1e-7) as stream:
        assert [frame.time_s for frame in stream] == pytest.approx([0, 1e7])


@pytest.mark.parametrize("name", ["x" * 300, f"{'x' * 300}.png"])
def test_a_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(VideoError):
        open_video(tmp_path / name)


def test_a_subfolder_that_may_be_listed_but_not_entered_stands_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "x.mp4").touch()
    (tmp_path / "good.mp4").touch()
    is_dir = Path.is_dir

    def asked(path: Path) -> bool:
        if path.parent.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", asked)
    assert find_videos(tmp_path) == [tmp_path / "closed", tmp_path / "good.mp4"]


def test_every_nth_frame_keeps_its_index_and_time(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", [k / 25 for k in range(11)])
    with open_video(path, every=4) as stream:
        frames = list(stream)
    assert [frame.index for frame in frames] == [0, 4, 8]
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.16, 0.32], abs=1e-4)
    assert stream.report.decoded == 11


def test_hidden_folders_are_passed_over_and_links_are_not_followed_in_circles(tmp_path: Path) -> None:
    for name in ("a/clip.mp4", ".Trashes/501/deleted.mp4"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert find_videos(tmp_path) == [tmp_path / "a/clip.mp4"]


def test_what_lies_behind_a_link_too_goes_by_its_own_name(tmp_path: Path) -> None:
    for name in ("b/train/happy/1.mp4", "elsewhere/2.mp4"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    root = tmp_path / "b"
    (root / "happy").symlink_to(root / "train" / "happy")
    for name in ("z", "y"):
        (root / name).symlink_to(tmp_path / "elsewhere")
    assert find_videos(root) == [root / "train/happy/1.mp4", root / "y/2.mp4"]


def test_a_folder_may_be_passed_over_so_that_what_else_is_there_counts(tmp_path: Path) -> None:
    for name in ("photo.jpg", "results/overlay.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_videos(tmp_path) == [tmp_path / "results/overlay.mp4"]
    found = find_videos(tmp_path, passed_over=lambda folder: folder.name == "results")
    assert found == [tmp_path / "photo.jpg"]


def test_a_subfolder_that_cannot_be_read_is_told_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "clip.mp4").touch()
    listed = Path.iterdir

    def closed(folder: Path) -> Iterator[Path]:
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", closed)
    assert find_videos(tmp_path) == [tmp_path / "clip.mp4", tmp_path / "closed"]
    with pytest.raises(VideoError, match="closed: cannot be read \\(Permission denied\\)"):
        open_video(tmp_path / "closed")


def test_pictures_are_found_whatever_else_lies_there(tmp_path: Path) -> None:
    names = [
        "clip.mp4",
        "b/frame_0001.png",
        "b/frame_0002.png",
        "a.JPG",
        "notes.txt",
        ".hidden.png",
        "out/drawn.png",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_pictures(tmp_path, passed_over=lambda picture: picture.name == "drawn.png")
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a.JPG", "b/frame_0001.png", "b/frame_0002.png"]
    assert find_pictures(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


@pytest.mark.parametrize(
    ("name", "problem"), [("nowhere", "no such file"), ("clip.mp4", "is a video"), (".", "holds no picture")]
)
def test_no_picture_to_find(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(VideoError, match=problem):
        find_pictures(tmp_path / name)
