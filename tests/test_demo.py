from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqfer.demo import DURATION_S, RATE, SCRIPT, SIZE, expression_strengths, portrait_path, write_demo_clip
from seqfer.errors import VideoError
from seqfer.video.opening import open_video


def test_the_clip_is_what_it_says(demo_clip: Path) -> None:
    with open_video(demo_clip) as video:
        frames = list(video)
    assert len(frames) == round(DURATION_S * RATE)
    assert (video.info.width, video.info.height) == SIZE
    assert frames[-1].time_s == pytest.approx(DURATION_S - 1 / RATE)
    # Nothing stands still for long, and nothing jumps.
    steps = [np.abs(a.image.astype(int) - b.image).mean() for a, b in zip(frames, frames[5:], strict=False)]
    assert min(steps) > 0.3
    assert max(steps) < 40


def test_expressions_come_and_go_by_the_script() -> None:
    for name, (onset, apex, offset, end) in SCRIPT.items():
        assert expression_strengths(onset)[name] == 0
        assert expression_strengths((apex + offset) / 2)[name] == 1
        assert expression_strengths(end)[name] == 0
        assert 0 < expression_strengths((onset + apex) / 2)[name] < 1
    assert set(expression_strengths(0.0).values()) == {0.0}


def test_a_portrait_that_is_missing_or_faceless_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqfer.demo.portrait_path", lambda: tmp_path / "gone.jpg")
    with pytest.raises(VideoError, match=r"gone\.jpg"):
        write_demo_clip(tmp_path / "demo.mp4")
    from PIL import Image

    Image.new("RGB", (300, 300)).save(tmp_path / "gone.jpg")
    with pytest.raises(VideoError, match="no face"):
        write_demo_clip(tmp_path / "demo.mp4")
    assert not (tmp_path / "demo.mp4").exists()


def test_the_portrait_ships_with_matplotlib() -> None:
    assert portrait_path().is_file()
