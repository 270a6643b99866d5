from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import seqfer
from seqfer import annotation
from seqfer.annotation import Annotator, StageSeconds, _Collected
from seqfer.demo import portrait_path
from seqfer.errors import ModelError, OptionError, VideoError
from seqfer.faces.types import Detection, FrameFaces, TrackedFace
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.heads import BiLSTMHead
from seqfer.models.inference import Predictor
from seqfer.timeline.types import SegmentOptions, Timeline
from seqfer.video.opening import open_video
from seqfer.video.types import DecodeReport, VideoInfo
from tests.media import write_clip


@pytest.fixture(scope="module")
def annotator() -> Annotator:
    return Annotator()


@pytest.fixture(scope="module")
def demo(annotator: Annotator, demo_clip: Path) -> Timeline:
    return annotator.annotate(demo_clip)


def leading(timeline: Timeline, start_s: float, end_s: float) -> str:
    """The label with most probability in a stretch of time."""
    times = timeline.face_time_s()
    mean = timeline.probabilities[(times >= start_s) & (times < end_s)].mean(0)
    return timeline.label_set.names[int(mean.argmax())]


def test_the_demo_clip_is_read_as_it_was_drawn(demo: Timeline) -> None:
    assert len(demo.frame_index) == 275
    assert demo.tracks() == [1]
    assert len(demo.face_frame) == 275
    assert leading(demo, 1.8, 2.9) == "happy"
    assert leading(demo, 0.0, 0.9) != "happy"
    assert leading(demo, 8.2, 9.4) != "happy"


def test_boxes_follow_the_swaying_face(demo: Timeline) -> None:
    centres = (demo.boxes[:, :2] + demo.boxes[:, 2:]) / 2
    assert np.abs(np.diff(centres, axis=0)).max() < 15
    assert np.ptp(centres[:, 0]) > 20


def test_the_same_video_gives_the_same_timeline(annotator: Annotator, demo: Timeline, demo_clip: Path) -> None:
    again = annotator.annotate(demo_clip)
    assert (again.boxes == demo.boxes).all()
    assert (again.probabilities == demo.probabilities).all()
    assert again.provenance == demo.provenance


def test_provenance_is_enough_to_make_it_again(demo: Timeline, demo_clip: Path) -> None:
    import hashlib

    provenance = demo.provenance
    assert provenance["video_sha256"] == hashlib.sha256(demo_clip.read_bytes()).hexdigest()
    assert provenance["model"]["name"] == "compact"
    assert len(provenance["model"]["sha256"]) == 64
    assert provenance["options"]["detector"] == "mediapipe"
    assert provenance["versions"]["seqfer"] == seqfer.__version__
    assert provenance["decoding"]["decoded"] == 275


def test_progress_and_stage_times(annotator: Annotator, demo_clip: Path) -> None:
    seen: list[int] = []
    seconds = StageSeconds()
    annotator.annotate(demo_clip, lambda info, done: seen.append(done), seconds)
    assert seen == list(range(1, 276))
    assert all(0 < value <= seconds.total * 1.5 for value in vars(seconds).values())


def test_every_nth_frame(demo_clip: Path, demo: Timeline) -> None:
    sparse = Annotator(every=5).annotate(demo_clip)
    assert sparse.frame_index.tolist() == list(range(0, 275, 5))
    assert sparse.tracks() == [1]
    assert leading(sparse, 1.8, 2.9) == "happy"
    assert sparse.frame_time_s == pytest.approx(demo.frame_time_s[::5])


def test_a_still_image_is_a_clip_of_one_frame() -> None:
    timeline = seqfer.annotate(portrait_path())
    assert len(timeline.frame_index) == 1
    assert timeline.tracks() == [1]
    assert timeline.segments() == []
    assert timeline.provenance["decoding"]["decoded"] == 1


def test_a_folder_of_frames_reads_as_the_video(annotator: Annotator, demo_clip: Path, tmp_path: Path) -> None:
    from PIL import Image

    with open_video(demo_clip) as video:
        for frame in video:
            if 40 <= frame.index < 60:
                Image.fromarray(frame.image).save(tmp_path / f"frame_{frame.index:05d}.png")
    timeline = annotator.annotate(tmp_path)
    assert len(timeline.frame_index) == 20
    assert timeline.frame_time_s[-1] == pytest.approx(19 / 25)
    assert leading(timeline, 0, 1) == "happy"


def test_haar_finds_the_face_too(demo_clip: Path) -> None:
    timeline = Annotator(detector="haar", every=3).annotate(demo_clip)
    assert 1 in timeline.tracks()
    assert leading(timeline, 1.8, 2.9) == "happy"


def test_a_video_without_faces_is_complete(annotator: Annotator, tmp_path: Path) -> None:
    grey = [np.full((96, 160, 3), 90, np.uint8)] * 12
    path = write_clip(tmp_path / "empty.mp4", [k / 25 for k in range(12)], size=(160, 96), images=grey)
    timeline = annotator.annotate(path)
    assert len(timeline.frame_index) == 12
    assert timeline.tracks() == []
    assert len(timeline.to_dataframe()) == 12


def test_an_error_ends_all_stages(annotator: Annotator, tmp_path: Path) -> None:
    before = threading.active_count()
    (tmp_path / "bad.mp4").write_text("no video")
    with pytest.raises(VideoError):
        annotator.annotate(tmp_path / "bad.mp4")

    def interrupt(info: object, done: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    path = write_clip(tmp_path / "clip.mp4", [k / 25 for k in range(60)])
    with pytest.raises(KeyboardInterrupt):
        annotator.annotate(path, interrupt)
    assert threading.active_count() <= before + 1  # tqdm-like monitors aside, none of ours is left


def test_the_machines_threads_are_given_back(annotator: Annotator, tmp_path: Path) -> None:
    import torch

    before = torch.get_num_threads()
    annotator.annotate(write_clip(tmp_path / "clip.mp4", [0.0, 0.04]))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"model": "nothing"}, ModelError),
        ({"device": "tpu"}, OptionError),
        ({"precision": "int4"}, OptionError),
        ({"detector": "yolo"}, OptionError),
        ({"every": 0}, OptionError),
    ],
)
def test_bad_options_are_named(settings: dict[str, object], error: type[Exception], tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", [0.0, 0.04])
    with pytest.raises(error):
        Annotator(**settings).annotate(path)  # type: ignore[arg-type]


def test_segment_options_go_into_the_timeline(demo_clip: Path) -> None:
    options = SegmentOptions(min_duration_s=1.5)
    timeline = seqfer.annotate(demo_clip, every=5, options=options)
    assert timeline.options == options
    assert all(segment.duration_s >= 1.5 for segment in timeline.segments())


class TestRealClips:
    def test_grief_and_laughter(self, annotator: Annotator, shared_videos: Path) -> None:
        timeline = annotator.annotate(shared_videos / "pyfeat" / "WolfgangLanger_Pexels.mp4")
        assert len(timeline.frame_index) == 472
        assert timeline.frame_time_s == pytest.approx(np.arange(472) * 1001 / 24000, abs=1e-6)
        counts = np.bincount(timeline.track_id)
        assert counts.max() >= 0.95 * 472
        main = timeline.track_id == counts.argmax()
        labels = np.array(timeline.labels())[main]
        times = timeline.face_time_s()[main]
        last = labels[times >= 0.75 * timeline.end_s]
        first = labels[times < 0.25 * timeline.end_s]
        assert (last == "happy").mean() > 0.5
        assert (first == "happy").mean() < 0.5

    @pytest.mark.parametrize(
        ("clip", "frames", "with_face"),
        [
            ("face_noface.mov", 169, range(72)),
            ("noface_face.mov", 169, range(96, 168)),
            ("no_face.mp4", 95, range(0)),
        ],
    )
    def test_rows_without_a_face_where_there_is_none(
        self, annotator: Annotator, shared_videos: Path, clip: str, frames: int, with_face: range
    ) -> None:
        timeline = annotator.annotate(shared_videos / "pyfeat" / clip)
        table = timeline.to_dataframe()
        assert table.frame.tolist() == list(range(frames))
        assert table.frame[table.track_id.notna()].tolist() == list(with_face)

    def test_two_people_keep_their_ids(self, annotator: Annotator, shared_videos: Path) -> None:
        clip = "head-pose-face-detection-female-and-male.gif"
        timeline = annotator.annotate(shared_videos / "intel" / "preview_gif" / clip)
        assert timeline.tracks() == [1, 2]
        centres = timeline.boxes[:, [0, 2]].mean(1)
        left = {int(track) for track in timeline.track_id[centres < 240]}
        right = {int(track) for track in timeline.track_id[centres >= 240]}
        assert len(left) == len(right) == 1
        assert left != right

    def test_an_old_film(self, annotator: Annotator, shared_videos: Path) -> None:
        timeline = annotator.annotate(shared_videos / "moviepy" / "chaplin.mp4")
        assert len(timeline.frame_index) == 241
        assert len(timeline.tracks()) >= 2


def test_a_picture_that_is_gone_is_lost_and_no_more(annotator: Annotator, tmp_path: Path) -> None:
    from PIL import Image

    for number in (1, 2, 4):
        Image.new("RGB", (64, 48), (40 * number, 90, 90)).save(tmp_path / f"frame_{number}.png")
    (tmp_path / "frame_3.png").symlink_to(tmp_path / "nowhere.png")
    timeline = annotator.annotate(tmp_path)
    assert timeline.frame_index.tolist() == [0, 1, 3]
    assert timeline.provenance["decoding"]["lost"] == 1
    assert len(timeline.provenance["video_sha256"]) == 64


def test_faces_come_together_whatever_their_tracks_and_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A glimpse is left out, the others are numbered anew, and each is read along its own frames and times."""
    monkeypatch.setattr(annotation, "FACES_AT_FIRST", 4)
    monkeypatch.setattr(annotation, "BATCH", 3)
    torch.manual_seed(0)
    small = {"stem_width": 8, "widths": (8, 16), "blocks": (1, 1)}
    model = SequenceClassifier(Architecture(encoder_settings=small, head_settings={"width": 8}, window_s=1.0))
    assert isinstance(model.head, BiLSTMHead)
    torch.nn.init.normal_(model.head.context.weight, std=1.5)
    predictor = Predictor(model, torch.device("cpu"), "float32")

    def crop(track: int, index: int) -> np.ndarray:
        return np.random.default_rng(100 * track + index).integers(0, 256, (48, 48, 3), np.uint8)

    def score(track: int, index: int) -> float:
        return 0.7 + track / 100 + index / 1000

    times = np.arange(12) * 0.3
    tracks = {1: [0], 2: [*range(2, 12)], 5: [*range(5, 12)], 7: [10, 11]}  # the last one is there for 0.6 s
    collected = _Collected(predictor)
    for index, time_s in enumerate(times):
        faces = [
            TrackedFace(
                track,
                Detection((10.0 * track, index, 10.0 * track + 50, index + 50), score(track, index)),
                crop(track, index),
            )
            for track, frames in tracks.items()
            if index in frames
        ]
        collected.add(FrameFaces(2 * index, time_s, tuple(faces)))
    collected.flush()
    info = VideoInfo(Path("a.mp4"), 640, 480, Fraction(10), None, None)
    report = DecodeReport(len(times), end_s=times[-1] + 0.3)
    made = collected.timeline(info, report, SegmentOptions(), {}, StageSeconds())
    assert made.tracks() == [1, 2, 3]
    for number, track in enumerate((2, 5, 7), start=1):
        rows, frames = np.flatnonzero(made.track_id == number), tracks[track]
        assert made.face_frame[rows].tolist() == frames
        assert made.boxes[rows, :2].tolist() == [[10.0 * track, index] for index in frames]
        assert made.detection_score[rows] == pytest.approx([score(track, index) for index in frames])
        embeddings = predictor.encode(np.stack([crop(track, index) for index in frames]))
        expected = predictor.read_track(embeddings, times[frames])
        assert made.probabilities[rows] == pytest.approx(expected, abs=2e-3)
