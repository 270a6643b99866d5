"""Maps laid over the faces of a video, as a video: frames stream through, a few of them in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqfer.explanation.drawing import blend, softened
from seqfer.explanation.maps import Explainer, Explanation
from seqfer.explanation.places import FRAMES_AHEAD, Place, Progress
from seqfer.faces.geometry import lay_back
from seqfer.machine import usable_cores
from seqfer.models.inference import network_threads
from seqfer.prefetch import Prefetch
from seqfer.timeline.colours import rgb_of
from seqfer.timeline.drawing import draw_line, draw_named_box, unit_of
from seqfer.timeline.overlay import write_like
from seqfer.video.opening import open_video
from seqfer.video.types import DecodeReport, Frame, Image

FRAMES_AT_ONCE = 8  # whose faces go through the network together
TITLES = {"saliency": "saliency", "gradcam": "Grad-CAM"}
PLATE = (235, 235, 235)


@dataclass(frozen=True)
class _Face:
    place: Place
    found: Explanation
    row: int  # of the face in it


def write_explained(
    source: Path,
    path: Path,
    explainer: Explainer,
    places: dict[int, list[Place]],
    picture_rate: float = 25.0,
    progress: Progress = lambda done, total: None,
) -> DecodeReport:
    """Write a video with each face's map laid over it, as H.264 with the source's sound and timing.

    Two methods stand side by side. Each face has its track's number and the expression that its map is for, with
    that expression's probability.

    Args:
        source: a video file, or a folder of numbered pictures.
        path: the MP4 file to write.
        explainer: makes the maps.
        places: of `find_places`; frames that it passed over keep the maps of the frame before.
        picture_rate: pictures per second of a folder, as `find_places` had it.
        progress: called after each frame with the frames done and their number, None while it is not known.

    Raises:
        VideoError: the source cannot be read any more.
        OutputError: the file cannot be written.
    """
    with (
        network_threads(usable_cores() // 2),
        open_video(source, picture_rate=picture_rate) as stream,
        Prefetch(stream, FRAMES_AHEAD) as frames,
        Prefetch(_drawn(frames, explainer, places), FRAMES_AHEAD) as drawn,
    ):
        write_like(stream, path, _told(drawn, stream.info.frame_count, progress))
        return stream.report


def _told(frames: Iterable[Frame], total: int | None, progress: Progress) -> Iterator[Frame]:
    for done, frame in enumerate(frames, start=1):
        yield frame
        progress(done, total)


def _drawn(frames: Iterable[Frame], explainer: Explainer, places: dict[int, list[Place]]) -> Iterator[Frame]:
    shown: list[_Face] = []
    for batch in _batches(frames):
        faces = _explained(batch, explainer, places)
        for frame in batch:
            if frame.index in places:
                shown = [next(faces) for _ in places[frame.index]]
            yield Frame(frame.index, frame.time_s, _picture(frame.image, shown, explainer.methods))


def _batches(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    batch: list[Frame] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == FRAMES_AT_ONCE:
            yield batch
            batch = []
    yield batch


def _explained(frames: list[Frame], explainer: Explainer, places: dict[int, list[Place]]) -> Iterator[_Face]:
    """The faces of some frames, in their order."""
    faces = [(frame.image, place) for frame in frames for place in places.get(frame.index, ())]
    if faces:
        size = explainer.architecture.preprocess.size
        found = explainer.explain(np.stack([place.crop(image, size) for image, place in faces]))
        for row, (_, place) in enumerate(faces):
            yield _Face(place, found, row)


def _picture(image: Image, faces: list[_Face], methods: tuple[str, ...]) -> Image:
    """A frame with its faces' maps: a panel for each method, side by side."""
    height, width, _ = image.shape
    panels = []
    for method in methods:
        panel = image.copy()
        for face in faces:
            heat = face.found.maps[method][face.row]
            if method == "saliency":
                heat = softened(heat)
            rows, columns, laid = lay_back(heat, face.place.square, width, height)
            panel[rows, columns] = blend(panel[rows, columns], laid)
        for face in faces:
            text = f"{face.place.track_id}  {face.found.caption_of(face.row)}"
            draw_named_box(panel, face.place.box, text, rgb_of(face.found.label_of(face.row)))
        title = f"{TITLES[method]}: where the reading is sensitive"
        draw_line(panel, title, (0, height - unit_of(panel) - 4), PLATE)
        panels.append(panel)
    return np.hstack(panels)
