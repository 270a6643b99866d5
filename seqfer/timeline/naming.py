"""Where the results of each of several videos go."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from pathlib import Path


def output_folders(videos: Sequence[Path], root: Path) -> list[Path]:
    """A folder below `root` for each video, no two alike, also where upper and lower case are the same.

    It is called like the video without its suffix. Videos that would share a name get those of their folders
    before it, from where they part; if they differ in the suffix alone, or if one would lie in the other, they
    keep it. Where all that does not help, a number follows.
    """
    own = [video.name if video.is_file() else video.resolve().name for video in videos]  # "." has no name
    names = [Path(_short(name) if video.is_file() else name) for name, video in zip(own, videos, strict=True)]
    for alike in _alike(names):
        places = [videos[index].absolute() for index in alike]
        try:
            parted = os.path.commonpath([place.parent for place in places])
        except ValueError:  # on several drives of Windows
            continue
        for index, place in zip(alike, places, strict=True):
            names[index] = place.parent.relative_to(parted) / names[index]
    for alike in _alike(names):
        for index in alike:
            names[index] = names[index].with_name(own[index])
    above = _above(names)
    names = [
        name.with_name(whole) if _key(name) in above else name for name, whole in zip(names, own, strict=True)
    ]
    above = _above(names)
    for index, name in enumerate(names):
        if _key(name) in above:
            names[index] = _numbered(name, [*names, *map(Path, above)])
    for alike in _alike(names):
        for index in alike[1:]:
            names[index] = _numbered(names[index], names)
    return [root / name for name in names]


def _short(name: str) -> str:
    """A file's name without its suffix, but where that would be the name of a folder above ("..mp4")."""
    stem = Path(name).stem
    return stem if stem.strip(".") else name


def _numbered(name: Path, taken: Sequence[Path]) -> Path:
    """The name with the first number behind it that makes it unlike all others."""
    keys = {_key(other) for other in taken}
    tries = (name.with_name(f"{name.name}-{number}") for number in count(2))
    return next(new for new in tries if _key(new) not in keys)


def _above(names: Sequence[Path]) -> set[str]:
    """The folders that names lie in, as `_key` has them."""
    return {_key(parent) for name in names for parent in name.parents}


def _alike(names: Sequence[Path]) -> list[list[int]]:
    """The positions of each name that occurs several times."""
    places = defaultdict(list)
    for index, name in enumerate(names):
        places[_key(name)].append(index)
    return [indices for indices in places.values() if len(indices) > 1]


def _key(name: Path) -> str:
    """Macs and Windows take names that differ in case alone for the same."""
    return name.as_posix().casefold()
