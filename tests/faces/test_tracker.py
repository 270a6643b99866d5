from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqfer.faces.geometry import iou
from seqfer.faces.tracker import LEAST_OVERLAP, Standing, Tracker, lasting_tracks
from seqfer.faces.types import Detection


def face(x: float, y: float = 100.0, side: float = 60.0, score: float = 0.9) -> Detection:
    return Detection((x - side / 2, y - side / 2, x + side / 2, y + side / 2), score)


def run(frames: list[list[Detection]], rate: float = 25.0, cuts: tuple[int, ...] = ()) -> list[list[int]]:
    tracker = Tracker()
    return [tracker.update(faces, k / rate, k in cuts) for k, faces in enumerate(frames)]


def test_ids_start_at_one_and_stay() -> None:
    assert run([[face(100), face(300)]] * 5) == [[1, 2]] * 5


def test_the_order_of_detections_does_not_matter() -> None:
    frames = [[face(100), face(300)], [face(301), face(101)], [face(102), face(302)]]
    assert run(frames) == [[1, 2], [2, 1], [1, 2]]


def test_a_newcomer_gets_the_next_id() -> None:
    assert run([[face(100)], [face(100), face(400)], [face(400), face(100)]]) == [[1], [1, 2], [2, 1]]


@pytest.mark.parametrize(("missed", "same"), [(1, True), (10, True), (24, True), (40, False)])
def test_short_gaps_are_survived_long_ones_are_not(missed: int, same: bool) -> None:
    ids = run([[face(100)]] * 3 + [[]] * missed + [[face(100)]])
    assert ids[-1] == ([1] if same else [2])


def test_a_moving_face_is_found_again_where_it_went() -> None:
    # 200 pixels a second: after 0.4 s out of sight it has moved by more than its own width.
    seen = [[face(100 + 8 * k)] for k in range(15)]
    later = [[face(100 + 8 * k)] for k in range(25, 30)]
    assert run(seen + [[]] * 10 + later)[-1] == [1]


def test_crossing_faces_keep_their_ids() -> None:
    frames = []
    for k in range(60):
        left, right = 100 + 5 * k, 400 - 5 * k
        # While they overlap, the detector sees only the one in front.
        hidden = abs(left - right) < 45
        frames.append([face(left)] if hidden else [face(left), face(right, y=104)])
    ids = run(frames)
    assert ids[0] == [1, 2]
    assert ids[-1] == [1, 2]


def test_a_cut_ends_every_track() -> None:
    assert run([[face(100)], [face(100)], [face(100)]], cuts=(2,)) == [[1], [1], [2]]


def test_sparse_frames_keep_their_tracks() -> None:
    # Every fiftieth frame only: two seconds lie between two looks.
    assert run([[face(100)], [face(105)], [], [face(102)]], rate=0.5) == [[1], [1], [], [1]]


def test_no_faces_no_ids() -> None:
    assert run([[], [], []]) == [[], [], []]


def test_frames_must_come_in_order() -> None:
    tracker = Tracker()
    tracker.update([], 1.0)
    with pytest.raises(ValueError, match="order of time"):
        tracker.update([], 1.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.floats(10, 60))
def test_well_separated_wanderers_are_never_confused(seed: int, people: int, rate: float) -> None:
    generator = np.random.default_rng(seed)
    place = np.arange(people) * 200.0 + 100
    tracker = Tracker()
    for k in range(50):
        place = place + generator.normal(0, 1.0, people)
        order = generator.permutation(people)
        faces = [face(place[p], 100 + 3 * np.sin(k / 7 + p)) for p in order]
        ids = tracker.update(faces, k / rate)
        assert len(set(ids)) == people
        if k == 0:
            owner = dict(zip(order.tolist(), ids, strict=True))
        assert {int(p): i for p, i in zip(order, ids, strict=True)} == owner


@pytest.mark.parametrize(
    ("ids", "scores", "shown_s", "frames", "kept"),
    [
        ([1, 1, 1], [0.9, 0.5, 0.5], 0.04, 10, {1: 1}),
        ([1, 1, 1], [0.69, 0.6, 0.6], 0.04, 10, {}),  # never beyond doubt
        ([1, 1], [0.9, 0.9], 0.04, 10, {}),  # a glimpse
        ([1, 1], [0.9, 0.9], 1.2, 10, {1: 1}),  # every thirtieth frame read: two of them are no glimpse
        ([1], [0.9], 5.0, 10, {}),  # a single one is, for however long it stands
        ([1], [0.9], 0.0, 1, {1: 1}),  # a still image
        ([1, 2, 2, 2, 1, 3, 3, 3], [0.9] * 8, 0.04, 10, {2: 1, 3: 2}),  # what is left is numbered anew
        ([], [], 0.04, 10, {}),
    ],
)
def test_lasting_tracks(
    ids: list[int], scores: list[float], shown_s: float, frames: int, kept: dict[int, int]
) -> None:
    shown = np.full(len(ids), shown_s)
    assert lasting_tracks(np.array(ids, np.int64), np.array(scores), shown, frames) == kept


@pytest.mark.parametrize(
    ("scores", "step_s", "counts_from"),
    [
        ([0.9, 0.5, 0.5, 0.5], 0.04, 2),
        ([0.69] * 6, 0.04, None),  # never beyond doubt
        ([0.6, 0.6, 0.6, 0.6, 0.75], 0.04, 4),
        ([0.9, 0.9], 0.04, None),  # a glimpse
        ([0.9, 0.9], 0.6, 1),  # hardly two frames a second: two of them are no glimpse
        ([0.9], 0.6, None),  # how long the first one stands is not known yet
    ],
)
def test_standing_is_told_as_frames_come(scores: list[float], step_s: float, counts_from: int | None) -> None:
    standing, told = Standing(), []
    for score in scores:
        standing.see(score, step_s)
        told.append(standing.counts)
    assert told == [counts_from is not None and k >= counts_from for k in range(len(scores))]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=3, max_size=20))
def test_standing_comes_to_what_the_whole_video_says(scores: list[float]) -> None:
    standing = Standing()
    for score in scores:
        standing.see(score, 0.04)
    ids, shown_s = np.ones(len(scores), np.int64), np.full(len(scores), 0.04)
    assert standing.counts == bool(lasting_tracks(ids, np.array(scores), shown_s, 100))


def test_followed_are_those_that_may_return() -> None:
    tracker, followed = Tracker(), []
    for k in range(6):
        tracker.update([face(100)] if k else [face(100), face(300)], k / 2, new_scene=k == 5)
        followed.append(tracker.followed)
    # A frame every half second: an absence of a second and one frame more is survived.
    assert followed == [{1, 2}, {1, 2}, {1, 2}, {1, 2}, {1}, {3}]


def test_a_fast_face_is_expected_where_it_was_going() -> None:
    """200 pixels a second, out of sight for 0.9 s: as far on as half a second would have carried it."""
    seen = [[face(100 + 8 * k)] for k in range(15)]
    back = [face(100 + 8 * 14 + 100)]
    assert run([*seen, *[[]] * 22, back])[-1] == [1]


def test_an_overlap_too_small_to_match_displaces_none_that_may() -> None:
    def wide(left: float) -> Detection:
        return Detection((left, 0, left + 100, 100), 0.9)

    tracks, moved, other = [wide(0), wide(128)], wide(60), wide(-68)
    overlaps = iou(np.array([track.box for track in tracks]), np.array([moved.box, other.box]))
    # The first face has moved to where it may still be known. By the sum of all overlaps, it would be the second.
    assert max(overlaps[0, 1], overlaps[1, 0]) < LEAST_OVERLAP <= overlaps[0, 0]
    assert overlaps[0, 0] + overlaps[1, 1] < overlaps[0, 1] + overlaps[1, 0]
    assert run([tracks, [moved, other]]) == [[1, 2], [1, 3]]
