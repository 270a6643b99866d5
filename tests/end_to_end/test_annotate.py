"""`seqfer annotate` from outside: what it writes, what it says, how it ends."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from seqfer.models.bundled import model_folder
from tests.end_to_end.commands import Run, seqfer
from tests.media import write_clip

CLIP = [k / 25 for k in range(30)]


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_one_video_to_all_its_files(demo_clip: Path, tmp_path: Path) -> None:
    done = seqfer("annotate", demo_clip, "--overlay", "--format", "csv,json,parquet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("demo.mp4: 275 frames, 1 track, ")
    assert len(done.stdout.splitlines()) == 1
    folder = tmp_path / "seqfer-out" / "demo"
    assert names(folder) == {
        *("frames.csv", "segments.csv", "timeline.json", "timeline.png", "overlay.mp4"),
        *("frames.parquet", "segments.parquet"),
    }
    table = pd.read_csv(folder / "frames.csv")
    assert len(table) == 275
    assert (table.track_id == 1).all()
    assert table.time_s.is_monotonic_increasing
    segments = pd.read_csv(folder / "segments.csv")
    assert list(segments.columns) == ["track_id", "label", "start_s", "end_s", "mean_probability"]
    assert "happy" in set(segments.label)
    document = json.loads((folder / "timeline.json").read_text())
    assert document["model"]["name"] == "compact"


def test_several_videos_one_of_them_bad(demo_clip: Path, tmp_path: Path, run_here: Run) -> None:
    good = write_clip(tmp_path / "good.mp4", CLIP)
    (tmp_path / "bad.mp4").write_text("no video")
    done = run_here("annotate", "missing.mp4", "bad.mp4", good, "-o", "out", cwd=tmp_path)
    assert done.returncode == 1
    errors = done.stderr.splitlines()
    assert [line.split(":")[0] for line in errors] == ["error", "error"]
    assert "missing.mp4: no such file" in errors[0]
    assert "bad.mp4: is not a video" in errors[1]
    assert "Traceback" not in done.stderr + done.stdout
    assert names(tmp_path / "out") == {"good"}
    assert "1 of 3 videos annotated without a problem" in done.stdout
    closing = done.stdout[done.stdout.index("1 of 3") :]
    assert "missing.mp4" in closing
    assert "bad.mp4" in closing


def test_a_folder_of_videos(tmp_path: Path, run_here: Run) -> None:
    for name in ("s1/a.mp4", "s2/a.mp4", "s2/b.mkv"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        write_clip(tmp_path / "data" / name, CLIP[:5])
    done = run_here("annotate", "data", "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = {str(path.parent.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("frames.csv")}
    assert found == {"s1/a", "s2/a", "b"}


@pytest.mark.parametrize("output", ["seqfer-out", ".", ".."])
def test_results_inside_the_folder_are_not_annotated_again(tmp_path: Path, output: str, run_here: Run) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    write_clip(folder / "a.mp4", CLIP[:5])
    for _ in range(2):
        done = run_here("annotate", ".", "--overlay", "--overwrite", "-o", output, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "a.mp4: 5 frames" in done.stdout
        assert len(done.stdout.splitlines()) == 1
    assert (folder / output / "a" / "overlay.mp4").is_file()


def test_overlays_of_stills_do_not_hide_the_stills(tmp_path: Path, run_here: Run) -> None:
    from PIL import Image

    for name in ("anna.jpg", "bert.jpg"):
        Image.new("RGB", (64, 48), (90, 90, 90)).save(tmp_path / name)
    for _ in range(2):
        done = run_here("annotate", ".", "--overlay", "--overwrite", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "2 of 2 videos annotated without a problem" in done.stdout


def test_a_folder_of_results_alone_is_no_input(tmp_path: Path, run_here: Run) -> None:
    write_clip(tmp_path / "a.mp4", CLIP[:5])
    assert run_here("annotate", "a.mp4", "--overlay", cwd=tmp_path).returncode == 0
    done = run_here("annotate", "seqfer-out", cwd=tmp_path)
    assert done.returncode == 1
    assert "holds no video" in done.stderr


@pytest.mark.parametrize(
    "name", ["cash$$money.mp4", "10:30:00.mp4", "[red]x[dim].mp4", "caf\udce9.mp4", "视频 é.mp4"]
)
def test_any_file_name(tmp_path: Path, name: str, run_here: Run) -> None:
    write_clip(tmp_path / "plain.mp4", CLIP[:5]).rename(tmp_path / name)
    done = run_here("annotate", name, "--overlay", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "5 frames" in done.stdout
    assert (tmp_path / "seqfer-out" / Path(name).stem / "overlay.mp4").is_file()


def test_numbered_pictures_are_one_clip_and_said_to_be(tmp_path: Path, run_here: Run) -> None:
    from PIL import Image

    (tmp_path / "frames").mkdir()
    for number in range(4):
        Image.new("RGB", (64, 48), (40 * number, 90, 90)).save(tmp_path / "frames" / f"{number:03d}.png")
    done = run_here("annotate", "frames", "--picture-rate", "10", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == (
        "note: frames: 4 pictures read as one clip at 10 per second; --picture-rate changes that\n"
    )
    rows = list(csv.DictReader((tmp_path / "seqfer-out" / "frames" / "frames.csv").open(newline="")))
    assert [row["time_s"] for row in rows] == ["0.0", "0.1", "0.2", "0.3"]


def test_an_overlay_that_fails_leaves_the_rest(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", CLIP[:5])
    code = (
        "import sys, seqfer.timeline.overlay as overlay, seqfer.errors as errors\n"
        "def fail(timeline, path, *rest): raise errors.OutputError(path, 'the disk is full')\n"
        "overlay.write_overlay = fail\n"
        "sys.argv = ['seqfer', 'annotate', 'a.mp4', '--overlay']\n"
        "from seqfer.cli.main import run; run()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: a.mp4: no overlay: the disk is full\n"
    assert "frames.csv" in names(tmp_path / "seqfer-out" / "a")


def test_no_face_is_a_plain_remark(tmp_path: Path, run_here: Run) -> None:
    write_clip(tmp_path / "clip.mp4", CLIP)
    done = run_here("annotate", "clip.mp4", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "clip.mp4: 30 frames, no face found" in done.stdout
    with (tmp_path / "seqfer-out" / "clip" / "frames.csv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == [""] * 30


def cut_off(folder: Path) -> Path:
    path = write_clip(folder / "cut.mp4", CLIP)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    return path


def sound_only(folder: Path) -> Path:
    import wave

    path = folder / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(8000))
    return path


def file_with(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def empty_folder(folder: Path) -> Path:
    (folder / "nothing").mkdir()
    return folder / "nothing"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda folder: folder / "missing.mp4", "no such file or folder"),
        (file_with("zero.mp4", b""), "is empty (zero bytes)"),
        (sound_only, "holds no video"),
        (file_with("text.mp4", b"hello\n" * 100), "is not a video that FFmpeg can read"),
        (cut_off, "is not a video that FFmpeg can read"),
        (file_with("bad.png", b"no picture"), "is not a readable picture"),
        (empty_folder, "holds no video"),
    ],
    ids=["missing", "zero bytes", "sound only", "text", "cut off", "picture", "empty folder"],
)
def test_bad_input_is_one_line(make: Callable[[Path], Path], problem: str, tmp_path: Path, run_here: Run) -> None:
    path = make(tmp_path)
    done = run_here("annotate", path, "-o", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"error: {path}: ")
    assert problem in done.stderr
    assert not (tmp_path / "out").exists() or names(tmp_path / "out") == set()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--model", "compat"], "unknown model 'compat'; did you mean 'compact'? known: accurate, compact"),
        (["--model", "nowhere/model"], "nowhere/model: no such model folder"),
        (["--detector", "yolo"], "unknown detector 'yolo'; known: mediapipe, haar"),
        (["--device", "tpu"], "unknown device 'tpu'; known: auto, cpu, cuda, mps"),
        (["--format", "xlsx"], "unknown format 'xlsx'; known: csv, json, parquet"),
        (["--every", "0"], "every must be at least 1"),
        (["--onset", "0.2"], "offset (0.35) must not exceed onset (0.2)"),
        (["-o", "clip.mp4/out"], "cannot be written"),
        (["-o", "clip.mp4"], "cannot be written"),
    ],
)
def test_bad_options_are_one_line(options: list[str], problem: str, tmp_path: Path, run_here: Run) -> None:
    write_clip(tmp_path / "clip.mp4", CLIP)
    done = run_here("annotate", "clip.mp4", *options, cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert problem in done.stderr
    assert names(tmp_path) == {"clip.mp4"}


def broken_model(tmp_path: Path, damage: Callable[[Path], object]) -> Path:
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(model_folder("compact"), folder)
    damage(folder)
    return folder


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda f: (f / "model.json").unlink(), "model.json: missing"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors: missing"),
        (lambda f: (f / "model.json").write_text("{"), "is not JSON"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x"), "SHA-256 differs"),
    ],
)
def test_a_broken_model_is_one_line(
    damage: Callable[[Path], object], problem: str, tmp_path: Path, run_here: Run
) -> None:
    write_clip(tmp_path / "clip.mp4", CLIP)
    done = run_here("annotate", "clip.mp4", "--model", broken_model(tmp_path, damage), cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert problem in done.stderr


def test_results_are_not_overwritten_unless_told(tmp_path: Path, run_here: Run) -> None:
    write_clip(tmp_path / "clip.mp4", CLIP)
    assert run_here("annotate", "clip.mp4", cwd=tmp_path).returncode == 0
    frames = tmp_path / "seqfer-out" / "clip" / "frames.csv"
    before = frames.stat().st_mtime_ns
    again = run_here("annotate", "clip.mp4", cwd=tmp_path)
    assert again.returncode == 1
    assert again.stderr.count("\n") == 1
    assert "exists already; use --overwrite" in again.stderr
    assert frames.stat().st_mtime_ns == before
    told = run_here("annotate", "clip.mp4", "--overwrite", "--every", "2", cwd=tmp_path)
    assert told.returncode == 0
    assert len(frames.read_text().splitlines()) == 16


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("delay_s", [0.0, 0.6])
def test_a_killed_run_leaves_nothing_under_a_final_name(
    demo_clip: Path, tmp_path: Path, delay_s: float, run_here: Run
) -> None:
    finished = write_clip(tmp_path / "a.mp4", CLIP)
    command = [sys.executable, "-m", "seqfer.cli.main", "annotate", str(finished), str(demo_clip), "--overlay"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("a.mp4")  # the first video is done, the second begins
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    visible = {name for name in names(tmp_path / "seqfer-out") if not name.startswith(".")}
    assert visible == {"a"}
    again = run_here("annotate", demo_clip, "--every", "10", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert names(tmp_path / "seqfer-out") == {"a", "demo"}


def test_damaged_and_cut_off_files(tmp_path: Path, shared_videos: Path, run_here: Run) -> None:
    damaged = shared_videos / "broken" / "decord_corrupted.mp4"
    done = run_here("annotate", damaged, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0
    assert "1 frame not decoded" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    whole = (shared_videos / "pyfeat" / "WolfgangLanger_Pexels.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 4])
    done = run_here("annotate", "cut.mp4", "-o", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cut.mp4: is cut off; " in done.stderr
    rows = len((tmp_path / "out" / "cut" / "frames.csv").read_text().splitlines()) - 1
    assert f"{rows} of 472 frames" in done.stderr
    assert rows > 50
