"""From what a user names to streams of frames: files, folders of videos, folders of frames, stills."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from seqfer.errors import NO_FILE, OptionError, VideoError
from seqfer.video.container import ContainerStream
from seqfer.video.stills import DEFAULT_RATE, IMAGE_SUFFIXES, PictureStream, as_fraction, numbered_pictures
from seqfer.video.types import FrameStream

# What counts as a video inside a folder; a file named by itself is opened whatever its suffix.
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".dv", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"}
    | {".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)


def open_video(path: str | Path, every: int = 1, picture_rate: Fraction | float = DEFAULT_RATE) -> FrameStream:
    """The frames of a video file, a still image, or a folder of numbered pictures.

    Args:
        path: what to open.
        every: give only each so-many-th frame, the first one included; indices and times stay the video's.
        picture_rate: pictures per second of a folder of pictures, which carries no times of its own.

    Raises:
        VideoError: there is nothing to read at that path.
        OptionError: `every` or `picture_rate` is not positive.
    """
    check_reading(every, picture_rate)
    path = Path(path)
    try:
        pictures = numbered_pictures(path) if path.is_dir() else []
    except OSError as error:
        raise VideoError(path, f"cannot be read ({error.strerror})") from error
    if pictures is None:
        raise VideoError(path, "is not a folder of numbered pictures (frame_0001.png, frame_0002.png, …)")
    if pictures:
        return PictureStream(path, pictures, as_fraction(picture_rate), every)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return PictureStream(path, [path])
    return ContainerStream(path, every)


def check_reading(every: int, picture_rate: Fraction | float) -> None:
    """Raise OptionError unless these are a step and a rate at which a video can be read."""
    if every < 1:
        raise OptionError(f"every must be at least 1, not {every}")
    if not 0 < picture_rate < 10_000:
        raise OptionError(f"pictures per second must lie in (0, 10000), not {picture_rate}")


def find_videos(path: str | Path, passed_over: Callable[[Path], bool] = lambda folder: False) -> list[Path]:
    """Every video that a path stands for, each to be opened by `open_video`.

    A file stands for itself. A folder of numbered pictures is one clip. Any other folder stands for what it
    holds, subfolders included but hidden ones, in the order of names: its videos and clips of numbered pictures,
    or, where there are none, its stills. A subfolder that cannot be read stands for itself, so that whoever opens
    it is told.

    Args:
        path: a file or a folder.
        passed_over: says of a folder whether what lies in it does not count.

    Raises:
        VideoError: the path does not exist or cannot be read, or a folder holds nothing of the kind.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise VideoError(path, NO_FILE)
        found = sorted(_inside(path, passed_over)) if path.is_dir() else [path]
    except OSError as error:
        raise VideoError(error.filename or path, f"cannot be read ({error.strerror})") from error
    if not found:
        raise VideoError(path, "holds no video, no numbered pictures and no still image")
    return found


def find_pictures(path: str | Path, passed_over: Callable[[Path], bool] = lambda picture: False) -> list[Path]:
    """The still images that a user names by one path: that file, or every picture in a folder, numbered or not.

    Args:
        path: a file or a folder; subfolders count, but hidden ones.
        passed_over: says of a picture in a folder whether it does not count.

    Raises:
        VideoError: the path does not exist or cannot be read, is a video, or a folder holds no picture.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise VideoError(path, NO_FILE)
        if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
            raise VideoError(path, "is a video, not a picture; save frames of it as pictures first")
        found = sorted(_stills(path, passed_over)) if path.is_dir() else [path]
    except OSError as error:
        raise VideoError(error.filename or path, f"cannot be read ({error.strerror})") from error
    if not found:
        raise VideoError(path, "holds no picture")
    return found


def _stills(root: Path, passed_over: Callable[[Path], bool]) -> list[Path]:
    found: list[Path] = []
    for folder, children in folders_below(root):
        if children is None:
            found.append(folder)
            continue
        stills = [child for child in children if child.is_file() and child.suffix.lower() in IMAGE_SUFFIXES]
        found += [still for still in stills if not passed_over(still)]
    return found


def _inside(root: Path, passed_over: Callable[[Path], bool]) -> list[Path]:
    """The videos and clips of numbered pictures below a folder, or its stills where there are none."""
    moving: list[Path] = []
    stills: list[Path] = []
    for folder, children in folders_below(root):
        if children is None:
            moving.append(folder)
            continue
        if passed_over(folder):
            continue
        files = [child for child in children if child.is_file()]
        moving += [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
        if numbered_pictures(folder) is not None:
            moving.append(folder)
        else:
            stills += [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    return moving or stills


def folders_below(root: Path) -> Iterator[tuple[Path, list[Path] | None]]:
    """A folder and all below it, each with what it holds, hidden things left out; None if it cannot be read.

    Links to folders are followed, but not in circles; what can be reached without them goes by its own name.
    """
    folders, links, seen = deque([root]), deque[Path](), set()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        if folder.resolve() in seen:
            continue
        seen.add(folder.resolve())
        try:
            children = [child for child in sorted(folder.iterdir()) if not child.name.startswith(".")]
            below = [child for child in children if child.is_dir()]
        except OSError:
            if folder == root:
                raise
            yield folder, None
            continue
        links += [child for child in below if child.is_symlink()]
        folders += [child for child in below if not child.is_symlink()]
        yield folder, children
