from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import measure_crops
import numpy as np
import pytest

from seqfer.demo import portrait_path
from seqfer.errors import SeqferError
from seqfer.faces.geometry import cut_square
from seqfer.labels import FER7
from seqfer.video.stills import read_image

SCRIPT = Path(measure_crops.__file__)


@pytest.fixture(scope="module")
def fer2013(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders in FER-2013's layout: one face in slightly different crops, labelled at will."""
    root = tmp_path_factory.mktemp("fer2013")
    image = read_image(portrait_path())
    height, width, _ = image.shape
    for split in ("train", "validation", "test"):
        for k, name in enumerate(FER7):
            centre = width * (0.48 + 0.005 * k), height * 0.335
            still = cv2.cvtColor(cut_square(image, centre, width * 0.45, 48), cv2.COLOR_RGB2GRAY)
            folder = root / split / name
            folder.mkdir(parents=True)
            cv2.imwrite(str(folder / f"{k}.png"), still)
    return root


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_readings_and_placements_are_printed_for_each_margin(fer2013: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    done = run(
        "compact",
        "--fer2013",
        fer2013,
        "--sides",
        "144,160",
        "--margins",
        "1.1,1.3",
        "--count",
        "3",
        "--sheet",
        sheet,
    )
    assert done.returncode == 0, done.stderr
    assert "compact on 3 stills of PublicTest, found by mediapipe" in done.stdout
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    readings = [row for row in rows if row[0] in ("144", "160", "all")]
    # Twice: accuracy and UAR, each in both sizes and together, with both margins.
    assert [row[3] for row in readings] == ["1.1", "1.3"] * 6
    assert all(row[1] == "100.0 %" for row in readings)
    placements = {(row[0], row[1]): [float(cell) for cell in row[2:]] for row in rows if row[0] in ("1.1", "1.3")}
    assert len(placements) == 8
    scale = "side of the crop over the still's"
    small, large = np.array(placements["1.1", scale]), np.array(placements["1.3", scale])
    assert large / small == pytest.approx(np.full(5, 1.3 / 1.1), abs=0.02)
    assert (np.diff(small) >= 0).all()
    assert cv2.imread(str(sheet)).shape[0] == 6 * 144


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--margins", "wide"], "--margins takes numbers between commas, not 'wide'"),
        (["--sides", "96.5"], "--sides takes numbers between commas, not '96.5'"),
        (["--margins", "9"], "crop margin must lie in"),
        (["--sides", "300"], "the side of a still in a scene must lie in"),
        (["--sheet", "no/sheet.png"], "no/sheet.png: is in no folder"),
        (["--count", "0"], r"--count must lie in \[1, 7\], not 0"),
    ],
)
def test_bad_input_is_refused(
    fer2013: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setattr("sys.argv", ["measure_crops.py", "compact", "--fer2013", str(fer2013), *arguments])
    with pytest.raises(SeqferError, match=message):
        measure_crops.main()


def test_an_error_is_one_line() -> None:
    done = run("compact", "--fer2013", "nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("error: nowhere: no such file or folder")
    assert len(done.stderr.splitlines()) == 1
