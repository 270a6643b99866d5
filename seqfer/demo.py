"""A clip to try seqfer on without any file: a portrait whose face is moved and warped into expressions.

The portrait is Grace Hopper's, a public-domain photograph that ships inside matplotlib. Its face is warped
along MediaPipe's face-mesh landmarks, as one would pull on a rubber mask, while the camera sways a little.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from seqfer.errors import VideoError
from seqfer.faces.mesh import FaceMesh
from seqfer.video.stills import read_image
from seqfer.video.types import Frame, Image
from seqfer.video.writer import write_video

RATE = Fraction(25)
SIZE = (640, 480)
# Each expression comes, stays and goes again; in seconds: onset, apex, offset, end.
SCRIPT = {
    "happy": (1.0, 1.6, 3.0, 3.6),
    "surprise": (4.4, 4.7, 6.2, 6.6),
    "sad": (7.4, 8.0, 9.6, 10.2),
}
DURATION_S = 11.0

# Places on the face mesh, and where each expression pulls them: right and down, as shares of the distance
# between the outer corners of the eyes. Left and right are the image's; the right side mirrors the left.
LEFT_MOUTH, RIGHT_MOUTH = 61, 291
UPPER_LIP, LOWER_LIP, CHIN = (0, 13), (14, 17), (152, 148, 377)
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
INNER_BROWS, MIDDLE_BROWS, OUTER_BROWS = (55, 285), (52, 282), (70, 300)
UPPER_LIDS, LOWER_LIDS = (159, 386), (145, 374)
CHEEKS = (205, 425)
EYE_CORNERS = (33, 263)
PINNED = (1, 4, 6, 168, 33, 133, 362, 263, 234, 454, 127, 356, 10, 109, 338, 172, 397)
PULLS: dict[str, dict[tuple[int, ...], tuple[float, float]]] = {
    "happy": {
        (LEFT_MOUTH, RIGHT_MOUTH): (-0.13, -0.13),
        CHEEKS: (-0.02, -0.09),
        LOWER_LIDS: (0.0, -0.025),
        UPPER_LIP: (0.0, -0.03),
        LOWER_LIP: (0.0, 0.06),
    },
    "surprise": {
        INNER_BROWS: (0.0, -0.13),
        MIDDLE_BROWS: (0.0, -0.16),
        OUTER_BROWS: (0.0, -0.13),
        UPPER_LIDS: (0.0, -0.05),
        LOWER_LIDS: (0.0, 0.01),
        (LEFT_MOUTH, RIGHT_MOUTH): (0.05, 0.06),
        UPPER_LIP: (0.0, -0.02),
        LOWER_LIP: (0.0, 0.27),
        CHIN: (0.0, 0.2),
    },
    "sad": {
        INNER_BROWS: (0.02, -0.1),
        OUTER_BROWS: (0.0, 0.05),
        UPPER_LIDS: (0.0, 0.03),
        (LEFT_MOUTH, RIGHT_MOUTH): (0.01, 0.13),
        UPPER_LIP: (0.0, -0.01),
        LOWER_LIP: (0.0, -0.04),
        CHIN: (0.0, -0.05),
    },
}


def write_demo_clip(path: Path) -> Path:
    """Render the clip, eleven seconds of H.264, into `path` (an .mp4) and give the path back.

    Raises:
        VideoError: matplotlib's portrait is missing, or no face is found in it.
    """
    write_video(path, _frames(portrait_path()), RATE)
    return path


def portrait_path() -> Path:
    """Where matplotlib keeps the portrait."""
    return Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


def expression_strengths(time_s: float) -> dict[str, float]:
    """How strongly each expression of the script shows at a moment, in [0, 1]."""
    strengths = {}
    for name, (onset, apex, offset, end) in SCRIPT.items():
        rise = np.clip((time_s - onset) / (apex - onset), 0, 1)
        fall = np.clip((end - time_s) / (end - offset), 0, 1)
        share = float(min(rise, fall))
        strengths[name] = share * share * (3 - 2 * share)
    return strengths


def _frames(portrait: Path) -> Iterator[Frame]:
    image = _framed(read_image(portrait))
    mesh = _face_mesh(image, portrait)
    unit = float(np.linalg.norm(mesh[EYE_CORNERS[1]] - mesh[EYE_CORNERS[0]]))
    fields = {name: _field(mesh, unit, pulls) for name, pulls in PULLS.items()}
    columns, rows = np.meshgrid(np.arange(SIZE[0], dtype=np.float32), np.arange(SIZE[1], dtype=np.float32))
    here = np.stack([columns, rows], axis=2)  # (H, W, 2)
    for index in range(round(DURATION_S * RATE)):
        time_s = float(index / RATE)
        strengths = expression_strengths(time_s)
        # For each pixel of the warped face, where it comes from.
        source = here - sum(strength * fields[name] for name, strength in strengths.items())
        source_x, source_y = cv2.split(source.astype(np.float32))
        warped = cv2.remap(image, source_x, source_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        face = np.asarray(warped, np.uint8)
        _open_mouth(face, mesh, unit, strengths)
        yield Frame(index, time_s, _swayed(face, time_s))


def _framed(portrait: Image) -> Image:
    """The portrait's upper part, scaled to the clip's width, as a camera would frame a talking head."""
    width, height = SIZE
    scaled_height = round(portrait.shape[0] * width / portrait.shape[1])
    scaled = cv2.resize(portrait, (width, scaled_height), interpolation=cv2.INTER_AREA)
    top = round(0.02 * scaled_height)
    return np.ascontiguousarray(scaled[top : top + height], np.uint8)


def _face_mesh(image: Image, source: Path) -> NDArray[np.float64]:
    """(468, 2) x and y in pixels of the face mesh's landmarks."""
    mesh = FaceMesh()
    found = mesh.find(image)
    mesh.close()
    if not found:
        raise VideoError(source, "shows no face that MediaPipe's face mesh finds")
    return found[0]


def _field(
    mesh: NDArray[np.float64], unit: float, pulls: dict[tuple[int, ...], tuple[float, float]]
) -> NDArray[np.float32]:
    """(H, W, 2) pixels by which an expression moves each point, smooth between the points that are pulled."""
    moved: dict[int, tuple[float, float]] = dict.fromkeys(PINNED, (0.0, 0.0))
    middle = mesh[1][0]  # the nose's tip
    for places, (right, down) in pulls.items():
        for place in places:
            # Pulls are given for the left half; its "right" is the other half's "left".
            side = (
                0.0 if len(places) != 2 or places in (UPPER_LIP, LOWER_LIP) else np.sign(middle - mesh[place][0])
            )
            moved[place] = (right * side, down)
    width, height = SIZE
    edge = [(x, y) for x in np.linspace(0, width, 6) for y in np.linspace(0, height, 6)]
    far = [point for point in edge if np.abs(mesh - point).sum(1).min() > 1.2 * unit]
    offsets = np.array([moved[place] for place in moved]) * unit
    points = np.array([mesh[place] for place in moved]) + offsets
    smooth = RBFInterpolator(
        np.vstack([points, far]), np.vstack([offsets, np.zeros((len(far), 2))]), kernel="thin_plate_spline"
    )
    coarse_x, coarse_y = np.meshgrid(np.linspace(0, width - 1, 80), np.linspace(0, height - 1, 60))
    coarse = smooth(np.stack([coarse_x.ravel(), coarse_y.ravel()], 1)).reshape(60, 80, 2)
    return np.asarray(cv2.resize(coarse.astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC))


def _open_mouth(image: Image, mesh: NDArray[np.float64], unit: float, strengths: dict[str, float]) -> None:
    """Darken what the lips have parted from; a warp alone would only stretch them."""
    lips = mesh[list(INNER_LIPS)].copy()
    middle_y = lips[:, 1].mean()
    for name, strength in strengths.items():
        lower, upper = PULLS[name][LOWER_LIP][1], PULLS[name][UPPER_LIP][1]
        if lower - upper <= 0:
            continue
        corner = PULLS[name][(LEFT_MOUTH, RIGHT_MOUTH)]
        centre = lips[:, 0].mean()
        reach = (lips[:, 0] - centre) / (np.ptp(lips[:, 0]) / 2)  # -1 and 1 at the corners
        bulge = np.sqrt(np.clip(1 - reach**2, 0, 1))
        below = lips[:, 1] > middle_y
        lips[:, 1] += strength * unit * (np.where(below, lower, upper) * bulge + corner[1] * (1 - bulge))
        lips[:, 0] -= strength * unit * corner[0] * reach
    opening = float(np.ptp(lips[:, 1])) / unit
    if opening < 0.06:
        return
    mask = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(mask, [lips.round().astype(np.int32)], (1.0,))
    mask = cv2.GaussianBlur(mask, (0, 0), 0.02 * unit)[:, :, None] * min(1.0, (opening - 0.06) * 12)
    image[:] = (image * (1 - mask) + np.array((48, 22, 22)) * mask).astype(np.uint8)


def _swayed(image: Image, time_s: float) -> Image:
    """The picture as a hand-held camera sees it: it turns, nears and drifts slowly."""
    width, height = SIZE
    angle_deg = 4.0 * np.sin(0.9 * time_s)
    zoom = 1.14 + 0.05 * np.sin(0.6 * time_s + 1)
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, zoom), np.float64)
    matrix[:, 2] += (14 * np.sin(1.1 * time_s), 9 * np.sin(0.7 * time_s + 2))
    swayed = cv2.warpAffine(image, matrix, SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(swayed, np.uint8)
