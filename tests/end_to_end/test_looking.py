"""`seqfer regions` and `seqfer explain` from outside: what they write, what they say, how they end."""

from __future__ import annotations

import csv
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from seqfer.demo import portrait_path
from seqfer.faces.regions import NAMES
from seqfer.video.opening import open_video
from seqfer.video.stills import read_image
from tests.end_to_end.commands import Run, seqfer
from tests.media import write_clip

CLIP = [k / 25 for k in range(8)]


def face_picture(path: Path, side: int = 48) -> Path:
    """The portrait's face alone, grey, as FER-2013 and CK+48 have theirs."""
    face = cv2.resize(read_image(portrait_path())[90:320, 140:370], (side, side), interpolation=cv2.INTER_AREA)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(face, np.uint8)).convert("L").save(path)
    return path


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class TestRegions:
    def test_pictures_of_any_kind_to_boxes_and_a_table(self, tmp_path: Path) -> None:
        for number in (1, 2):  # numbered, as CK+48's are; still no clip here
            face_picture(tmp_path / "ck" / f"S010_004_{number:08d}.png")
        Image.new("RGB", (64, 50), (90, 90, 90)).save(tmp_path / "ck" / "empty.png")
        done = seqfer("regions", "ck", portrait_path(), "-o", "out", "--edges", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [
            "ck/empty.png: no face found",
            "4 pictures, 3 faces, 1 without a face -> out",
        ]
        stems = ("S010_004_00000001", "S010_004_00000002", "empty", "grace_hopper")
        drawn = {f"{stem}.{kind}.png" for stem in stems for kind in ("regions", "edges")}
        assert {file.name for file in (tmp_path / "out").iterdir()} == {"regions.csv", *drawn}
        rows = table(tmp_path / "out" / "regions.csv")
        assert list(rows[0]) == ["image", "face", "region", "x1", "y1", "x2", "y2", "source"]
        portrait = [row for row in rows if row["image"] == str(portrait_path())]
        assert [row["region"] for row in portrait] == list(NAMES)
        assert [row["source"] for row in portrait] == ["cascade"] * 3 + ["landmarks"] * 2
        assert [row["region"] for row in rows if row["image"] == "ck/empty.png"] == [""]
        # The small picture's table is in its own pixels, its drawing eight times larger.
        assert max(float(row["x2"]) for row in rows if "0001.png" in row["image"]) <= 48
        small = np.asarray(Image.open(tmp_path / "out" / "S010_004_00000001.regions.png"))
        assert small.shape == (384, 384, 3)
        assert (small == (255, 0, 0)).all(2).any()
        edges = np.asarray(Image.open(tmp_path / "out" / "grace_hopper.edges.png"))
        assert edges.shape == read_image(portrait_path()).shape[:2]
        assert set(np.unique(edges)) == {0, 255}

    def test_results_are_kept_and_not_read_again(self, tmp_path: Path, run_here: Run) -> None:
        for name in ("a/x.png", "b/x.png", "a-x.png"):
            face_picture(tmp_path / name)
        assert run_here("regions", ".", "-o", "out", cwd=tmp_path).returncode == 0
        again = run_here("regions", ".", "-o", "out", cwd=tmp_path)
        assert again.returncode == 1
        assert "exists already; use --overwrite" in again.stderr
        told = run_here("regions", ".", "-o", "out", "--overwrite", cwd=tmp_path)
        assert (told.returncode, told.stdout) == (0, "3 pictures, 3 faces -> out\n")
        names = {file.name for file in (tmp_path / "out").iterdir()}
        assert names == {"regions.csv", "a-x.regions.png", "b-x.regions.png", "a-x_.regions.png"}

    def test_a_folder_that_got_its_own_results_is_still_one_of_pictures(
        self, tmp_path: Path, run_here: Run
    ) -> None:
        face_picture(tmp_path / "pictures" / "a.png")
        face_picture(tmp_path / "pictures" / "b.png")
        command = ("regions", "pictures", "-o", "pictures", "--overwrite")
        assert run_here(*command, "--edges", cwd=tmp_path).returncode == 0
        done = run_here("regions", "pictures", "-o", "out", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "2 pictures, 2 faces -> out\n")
        # Written anew without them, old drawings do not stay beside the new table.
        (tmp_path / "pictures" / "b.png").unlink()
        assert run_here(*command, cwd=tmp_path).returncode == 0
        names = {file.name for file in (tmp_path / "pictures").iterdir()}
        assert names == {"a.png", "a.regions.png", "regions.csv"}

    def test_one_bad_picture_does_not_stop_the_others(self, tmp_path: Path, run_here: Run) -> None:
        face_picture(tmp_path / "good.png")
        (tmp_path / "bad.png").write_bytes(b"no picture")
        write_clip(tmp_path / "clip.mp4", CLIP)
        done = run_here("regions", "clip.mp4", "bad.png", "good.png", "-o", "out", cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "error: clip.mp4: is a video, not a picture; save frames of it as pictures first",
            "error: bad.png: is not a readable picture: another format, damaged, or cut off",
        ]
        assert done.stdout == "1 picture, 1 face -> out\n"
        assert len(table(tmp_path / "out" / "regions.csv")) == len(NAMES)

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (["missing.png"], "missing.png: no such file or folder"),
            (["bad.png"], "bad.png: is not a readable picture"),
            (["nothing"], "nothing: holds no picture"),
            (["good.png", "-o", "bad.png"], "bad.png: is a file, not a folder"),
            (["good.png", "-o", "bad.png/out"], "cannot be written"),
        ],
    )
    def test_bad_input_is_one_line_and_leaves_nothing(
        self, arguments: list[str], problem: str, tmp_path: Path, run_here: Run
    ) -> None:
        face_picture(tmp_path / "good.png")
        (tmp_path / "bad.png").write_bytes(b"no picture")
        (tmp_path / "nothing").mkdir()
        done = run_here("regions", *arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert problem in done.stderr
        left = {path.name for path in tmp_path.rglob("*")}
        assert left - {"seqfer-out"} == {"good.png", "bad.png", "nothing"}


class TestExplain:
    def test_a_still_to_a_picture(self, tmp_path: Path) -> None:
        done = seqfer("explain", "compact", portrait_path(), "-o", "new/out.png", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "grace_hopper.jpg: 1 face -> new/out.png\n"
        assert {path.name for path in tmp_path.rglob("*")} == {"new", "out.png"}
        assert np.asarray(Image.open(tmp_path / "new" / "out.png")).std() > 20

    def test_a_video_to_a_video_with_sound_and_timing(self, tmp_path: Path) -> None:
        portrait = read_image(portrait_path())[:480]
        times = [0.0, 0.04, 0.11, 0.15, 0.3, 0.34]
        write_clip(tmp_path / "a.mp4", times, size=(512, 480), images=[portrait] * 6, audio=True)
        done = seqfer("explain", "compact", "a.mp4", "-o", "out.mp4", "--label", "happiness", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("a.mp4: 6 frames, 1 track, ")
        with open_video(tmp_path / "out.mp4") as video, open_video(tmp_path / "a.mp4") as source:
            drawn = list(video)
            assert [frame.time_s for frame in drawn] == pytest.approx(times, abs=2e-5)
            assert video.info.width == 1024
            plain = next(iter(source)).image.astype(int)
        for left in (0, 512):
            changed = np.abs(drawn[3].image[:, left : left + 512] - plain).max(2) > 40
            assert changed[140:330, 150:380].mean() > 0.02  # the face
            assert changed[:80].mean() < 0.01
        with av.open(str(tmp_path / "out.mp4")) as container:
            assert len(container.streams.audio) == 1

    @pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
    def test_a_picture_taken_whole(self, suffix: str, tmp_path: Path, run_here: Run) -> None:
        face_picture(tmp_path / "cash$$[red].png")
        arguments = ["compact", "cash$$[red].png", "-o", f"out{suffix}", "--faces", "none", "--method", "saliency"]
        done = run_here("explain", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, f"cash$$[red].png: 1 face -> out{suffix}\n")
        assert (tmp_path / f"out{suffix}").stat().st_size > 2000

    def test_what_is_there_is_kept_unless_told(self, tmp_path: Path, run_here: Run) -> None:
        face_picture(tmp_path / "a.png", 200)
        (tmp_path / "out.png").write_text("mine")
        done = run_here("explain", "compact", "a.png", "-o", "out.png", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (
            1,
            "error: out.png: exists already; use --overwrite to replace it\n",
        )
        assert (tmp_path / "out.png").read_text() == "mine"
        assert (
            run_here("explain", "compact", "a.png", "-o", "out.png", "--overwrite", cwd=tmp_path).returncode == 0
        )

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (["compact", "missing.mp4", "-o", "o.mp4"], "missing.mp4: no such file or folder"),
            (["compact", "bad.png", "-o", "o.png"], "bad.png: is not a readable picture"),
            (["compact", "empty.mp4", "-o", "o.mp4"], "empty.mp4: shows no face that could be explained"),
            (["compact", "a.png", "-o", "o.mp4"], "o.mp4: must end in .png or .pdf or .svg"),
            (["compact", "empty.mp4", "-o", "o.png"], "o.png: must end in .mp4"),
            (["compact", "empty.mp4", "-o", "empty.mp4", "--overwrite"], "is what is to be explained"),
            (["compact", "a.png", "-o", "bad.png/o.png"], "cannot be written"),
            (["compat", "a.png", "-o", "o.png"], "unknown model 'compat'; did you mean 'compact'?"),
            (["compact", "a.png", "-o", "o.png", "--label", "bored"], "unknown label 'bored'; known: angry"),
            (["compact", "a.png", "-o", "o.png", "--method", "lime"], "unknown method 'lime'; known: saliency,"),
            (
                ["compact", "a.png", "-o", "o.png", "--faces", "yolo"],
                "unknown faces 'yolo'; known: mediapipe, haar, none",
            ),
            (["compact", "a.png", "-o", "o.png", "--device", "tpu"], "unknown device 'tpu'"),
            (["compact", "empty.mp4", "-o", "o.mp4", "--every", "0"], "every must be at least 1"),
        ],
    )
    def test_bad_input_is_one_line(
        self, arguments: list[str], problem: str, tmp_path: Path, run_here: Run
    ) -> None:
        face_picture(tmp_path / "a.png", 200)
        (tmp_path / "bad.png").write_bytes(b"no picture")
        write_clip(tmp_path / "empty.mp4", CLIP)
        done = run_here("explain", *arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert problem in done.stderr
        assert {path.name for path in tmp_path.rglob("*")} == {"a.png", "bad.png", "empty.mp4"}

    def test_a_video_that_is_cut_off_is_explained_as_far_as_it_goes(
        self, tmp_path: Path, shared_videos: Path, run_here: Run
    ) -> None:
        whole = (shared_videos / "pyfeat" / "WolfgangLanger_Pexels.mp4").read_bytes()
        (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 4])
        done = run_here("explain", "compact", "cut.mp4", "-o", "out.mp4", "--every", "10", cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith("error: cut.mp4: is cut off; ")
        assert len(done.stderr.splitlines()) == 1
        assert (tmp_path / "out.mp4").is_file()
