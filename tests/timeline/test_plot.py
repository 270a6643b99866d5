from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from seqfer.labels import FER7
from seqfer.timeline.colours import COLOURS, colour_of, rgb_of
from seqfer.timeline.plot import MOST_POINTS, MOST_TRACKS, _in_bins
from seqfer.timeline.types import WHAT_IT_SAYS
from tests.timeline.examples import spans, timeline


def outline(area: Collection) -> np.ndarray:
    return np.asarray(area.get_paths()[0].vertices, np.float64)


def texts(figure: object) -> str:
    found = [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]  # type: ignore[attr-defined]
    return " | ".join(found)


def test_a_panel_and_a_strip_per_track() -> None:
    made = timeline({1: spans([("happy", 30), ("sad", 30)]), 2: spans([("", 20), ("fear", 40)])}, frames=60)
    figure = made.plot()
    assert len(figure.axes) == 4
    shown = texts(figure)
    for wanted in ("track 1", "track 2", "happy", "sad", "fear", "clip.mp4", WHAT_IT_SAYS):
        assert wanted in shown
    strip = figure.axes[1]
    bars = sorted((bar.get_x(), bar.get_width()) for bar in strip.patches if isinstance(bar, Rectangle))
    segments = [(s.start_s, s.duration_s) for s in made.segments() if s.track_id == 1]
    assert np.array(bars) == pytest.approx(np.array(segments))


def test_a_video_without_faces_says_so() -> None:
    assert "no face found" in texts(timeline({}, frames=10).plot())


def test_a_crowd_shows_those_who_stay_longest() -> None:
    tracks = {track: spans([("happy", 5 + track)]) for track in range(1, MOST_TRACKS + 4)}
    figure = timeline(tracks, frames=60).plot()
    assert len(figure.axes) == 2 * MOST_TRACKS
    shown = texts(figure)
    assert "track 4" in shown
    assert "track 3 " not in shown + " "
    assert "3 shorter tracks are not shown" in shown


def test_a_long_track_stays_light() -> None:
    made = timeline({1: spans([("happy", 20_000)])}, frames=20_000)
    areas = made.plot().axes[0].collections
    assert max(len(outline(area)) for area in areas) < 7_000


def test_a_bin_shows_the_mean_of_its_frames() -> None:
    starts = np.arange(4 * MOST_POINTS) / 25
    shares = np.tile([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]], (MOST_POINTS, 1))
    edges, values = _in_bins(starts, starts + 1 / 25, shares)
    assert len(edges) == len(values) == MOST_POINTS + 1
    assert (np.abs(values - [0.25, 0.75]).max(1) < 1e-9).mean() > 0.7  # others hold a frame more or less


def test_a_gap_stays_empty() -> None:
    made = timeline({1: spans([("happy", 25), ("", 25), ("happy", 25)])}, frames=75)
    areas = made.plot().axes[0].collections
    covered = [np.ptp(outline(area)[:, 0]) for area in areas]
    assert max(covered) == pytest.approx(1.0)


def test_many_gaps_stay_empty_and_light() -> None:
    """As a face has them that is missed now and then in a film."""
    away = [("happy", 24), ("", 1)] * 400
    made = timeline({1: spans(away)}, frames=10_000)
    areas = made.plot().axes[0].collections
    assert len(areas) == len(made.label_set)
    assert max(len(outline(area)) for area in areas) < 7_000


def test_a_gap_in_a_long_track_stays_empty() -> None:
    made = timeline({1: spans([("happy", 1500), ("", 1500), ("happy", 1500)])}, frames=4500)
    happy = made.plot().axes[0].collections[list(made.label_set).index("happy")]
    first, second = (np.asarray(path.vertices)[:, 0] for path in happy.get_paths())
    assert (first.min(), second.max()) == pytest.approx((0, 180))
    assert (first.max(), second.min()) == pytest.approx((60, 120), abs=0.2)


def test_a_frame_that_stays_for_long_is_drawn_for_long() -> None:
    """As in a recording of a screen: 1,600 frames in half a minute, then one for as long."""
    times = np.append(np.arange(1600) / 50, 64.0)
    starts, ends = times[:-1], times[1:]
    drawn, values = _in_bins(starts, ends, np.tile([0.25, 0.75], (1600, 1)))
    assert (drawn[0], drawn[-1]) == (0, 64)
    assert values == pytest.approx(np.tile([0.25, 0.75], (MOST_POINTS + 1, 1)))


def test_colours_differ_and_unknown_labels_have_one() -> None:
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert rgb_of("sad") == (0x44, 0x77, 0xAA)
    assert colour_of("bored") == colour_of("bored")
    assert colour_of("bored").startswith("#")


@pytest.mark.parametrize(
    "name", ["cash$$money.mov", "a$_ b$.mov", "caf\udce9.mov", "视频.mov", "%s {x} \\frac.mov"]
)
def test_any_file_name_can_be_drawn(tmp_path: Path, name: str, recwarn: pytest.WarningsRecorder) -> None:
    timeline({1: spans([("happy", 5)])}, frames=5, path=Path(name)).save(tmp_path / "out", ("csv", "json"))
    assert (tmp_path / "out" / "timeline.png").stat().st_size > 5_000
    assert not recwarn.list


def test_a_still_shows_a_bar_per_expression() -> None:
    made = timeline({1: {0: "happy"}}, frames=1, times=[0.0])
    object.__setattr__(made, "end_s", 0.0)
    shown = texts(made.plot())
    assert "happy 0.88" in shown
    assert "fear 0.02" in shown


def test_colours_are_those_of_the_labels() -> None:
    panel, strip = timeline({1: spans([("happy", 20), ("sad", 20)])}, 40).plot().axes
    areas = [to_hex(tuple(np.asarray(area.get_facecolor())[0])) for area in panel.collections]
    assert areas == [colour_of(name).lower() for name in FER7]
    bars = sorted(
        (bar.get_x(), to_hex(bar.get_facecolor())) for bar in strip.patches if isinstance(bar, Rectangle)
    )
    assert [colour for _, colour in bars] == [colour_of(name).lower() for name in ("happy", "sad")]


def test_a_still_is_drawn_as_bars_of_its_shares() -> None:
    made = replace(timeline({1: {0: "happy"}}, frames=1, times=[0.0]), end_s=0.0)
    bars = [bar for bar in made.plot().axes[0].patches if isinstance(bar, Rectangle)]
    assert [bar.get_height() for bar in bars] == pytest.approx(made.probabilities[0])
