"""`seqfer live` from outside, without a window: what it says, what it records, how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from fractions import Fraction
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest

from seqfer.video.opening import open_video
from seqfer.video.writer import write_video
from tests.end_to_end.commands import Run, seqfer
from tests.media import write_clip

FRAMES = 60


@pytest.fixture(scope="module")
def short_clip(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's first 2.4 seconds, at the end of which the face smiles."""
    path = tmp_path_factory.mktemp("live") / "short.mp4"
    with open_video(demo_clip) as stream:
        write_video(path, islice(stream, FRAMES), Fraction(25))
    return path


def counts(said: str) -> tuple[int, int, int]:
    """Frames delivered, shown and dropped."""
    found = re.search(r"(\d+) frames delivered, (\d+) shown \([\d.]+ per second\), (\d+) dropped", said)
    assert found, said
    delivered, shown, dropped = (int(number) for number in found.groups())
    return delivered, shown, dropped


def test_a_file_is_played_to_its_end(short_clip: Path, tmp_path: Path) -> None:
    done = seqfer("live", short_clip, "--headless", "--each-second", "-o", "out.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert re.match(r" +\d\.\d s  \d+ delivered, \d+ shown, \d+ dropped, delay \d+ ms  ", lines[0])
    delivered, shown, dropped = counts(done.stdout)
    assert delivered == FRAMES == shown + dropped
    assert lines[-4].startswith("short.mp4: 60 frames delivered")
    assert lines[-4].endswith("; 1 face found")
    spread = r"median \d+ ms, 95 % within \d+ ms, longest \d+ ms"
    assert re.fullmatch(f"delay from a frame's arrival to its result: {spread}", lines[-3])
    assert re.fullmatch(f"reading one frame: {spread}", lines[-2])
    assert re.fullmatch(rf"{shown} frames -> out.csv \(time 0 was \d{{4}}-\S+\+00:00\)", lines[-1])
    table = pd.read_csv(tmp_path / "out.csv")
    assert len(table) == shown
    assert table.frame.is_monotonic_increasing
    assert (table.time_s - table.frame / 25).abs().max() < 1e-4
    assert table.label.dropna().iloc[-1] == "happy"
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


def test_a_file_without_faces(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "empty.mp4", [k / 25 for k in range(10)])
    done = seqfer("live", path, "--headless", "-o", "out.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    delivered, shown, dropped = counts(done.stdout)
    assert delivered == 10 == shown + dropped
    assert "; no face found" in done.stdout
    assert pd.read_csv(tmp_path / "out.csv").track_id.isna().all()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(demo_clip: Path, tmp_path: Path, number: signal.Signals) -> None:
    arguments = ["live", str(demo_clip), "--headless", "--each-second", "-o", "out.csv"]
    process = subprocess.Popen(
        [sys.executable, "-m", "seqfer.cli.main", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()  # a second of the clip's eleven has passed
    assert " delivered, " in first
    process.send_signal(number)
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    delivered, shown, dropped = counts(said)
    assert shown > 0
    assert delivered == shown + dropped < 275
    assert pd.read_csv(tmp_path / "out.csv").frame.nunique() == shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.mp4", "--headless"], "missing.mp4: no such file or folder"),
        (["clip.mp4", "--camera", "0", "--headless"], "give a FILE or --camera, not both"),
        (["picture.png", "--headless"], "picture.png: is a still image, not a video"),
        (["text.mp4", "--headless"], "text.mp4: is not a video that FFmpeg can read"),
        ([".", "--headless"], "is not a folder of numbered pictures"),
        (["--camera", "-1", "--headless"], "cameras are counted from 0, not -1"),
        (["--camera", "97", "--headless"], "camera 97: cannot be opened"),
        (["clip.mp4", "--headless", "--detector", "yolo"], "unknown detector 'yolo'; known: mediapipe, haar"),
        (["clip.mp4", "--headless", "--model", "big"], "unknown model 'big'"),
        (["clip.mp4", "--headless", "--device", "tpu"], "unknown device 'tpu'"),
        (["clip.mp4", "--headless", "-o", "text.mp4"], "text.mp4: must end in .csv"),
        (["clip.mp4", "--headless", "-o", "folder.csv"], "is a folder; name a file in it"),
        (["clip.mp4", "--headless", "-o", "old.csv"], "old.csv: exists already; use --overwrite"),
        (["clip.mp4", "--headless", "-o", "text.mp4/out.csv"], "cannot be written (File exists)"),
        (
            ["clip.mp4", "--headless", "-o", "clip.mp4", "--overwrite"],
            "is what is to be read; choose another name",
        ),
    ],
)
def test_bad_input_is_one_line(run_here: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    from PIL import Image

    write_clip(tmp_path / "clip.mp4", [0.0, 0.04])
    Image.new("RGB", (64, 48)).save(tmp_path / "picture.png")
    for name in ("text.mp4", "old.csv"):
        (tmp_path / name).write_text("no video")
    (tmp_path / "folder.csv").mkdir()
    before = sorted(tmp_path.iterdir())
    done = run_here("live", *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_without_a_display_it_says_what_to_do(
    run_here: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    write_clip(tmp_path / "clip.mp4", [0.0, 0.04])
    done = run_here("live", "clip.mp4", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == ("error: there is no display to open a window on; --headless does without a window\n")
