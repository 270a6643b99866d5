from __future__ import annotations

from pathlib import Path

import pytest

from seqfer.timeline.naming import output_folders


@pytest.mark.parametrize(
    ("videos", "folders"),
    [
        (["a.mp4", "b.mp4"], ["a", "b"]),
        (["s1/clip.mp4", "s2/clip.mp4"], ["s1/clip", "s2/clip"]),
        (["x/s1/clip.mp4", "x/s2/clip.mp4", "other.mp4"], ["s1/clip", "s2/clip", "other"]),
        (["clip.mp4", "clip.mov"], ["clip.mp4", "clip.mov"]),
        (["s1/clip.mp4", "s1/clip.mov", "s2/clip.mp4"], ["s1/clip.mp4", "s1/clip.mov", "s2/clip"]),
        (["frames/", "frames.mp4"], ["frames/", "frames.mp4"]),
        (["a.b.mp4"], ["a.b"]),
        (["s1/clip.mp4", "s2/clip.mp4", "s1.mp4"], ["s1/clip", "s2/clip", "s1.mp4"]),
        (["clip.mov", "clip.mp4", "clip.mov.mp4"], ["clip.mov", "clip.mp4", "clip.mov-2"]),
        (["a/Clip.mp4", "b/clip.mp4"], ["a/Clip", "b/clip"]),
        (["a/Clip.mov", "a/clip.mp4"], ["Clip.mov", "clip.mp4"]),
        (["..mp4", "...mp4", "a.mp4"], ["..mp4", "...mp4", "a"]),
        (["clip/", "clip/clip.mp4"], ["clip-2", "clip/clip"]),
        (["clip/clip/..mp4", "clip/Clip.mp4", "b/clip.mp4", "b/..mp4"], None),
    ],
)
def test_names_are_short_and_never_alike(tmp_path: Path, videos: list[str], folders: list[str] | None) -> None:
    paths = []
    for name in videos:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        else:
            path.write_bytes(b"")
        paths.append(path)
    root = tmp_path / "out"
    found = output_folders(paths, root)
    if folders is not None:
        assert found == [root / folder for folder in folders]
    keys = [Path(str(folder).casefold()) for folder in found]
    assert len(set(keys)) == len(found)
    assert not set(keys) & {parent for key in keys for parent in key.parents}  # none lies in another


def test_names_on_several_drives_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def apart(paths: list[Path]) -> str:
        raise ValueError("Paths don't have the same drive")  # as on Windows

    monkeypatch.setattr("os.path.commonpath", apart)
    videos = [tmp_path / "c" / "clip.mp4", tmp_path / "d" / "clip.mp4"]
    assert [folder.name for folder in output_folders(videos, Path("out"))] == ["clip.mp4", "clip.mp4-2"]


def test_the_folder_one_stands_in_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "frames").mkdir()
    monkeypatch.chdir(tmp_path / "frames")
    assert output_folders([Path()], Path("out")) == [Path("out/frames")]
    Path("frames.mp4").touch()
    videos = [Path(), Path("frames.mp4")]
    assert output_folders(videos, Path("out")) == [Path("out/frames-2"), Path("out/frames/frames")]
