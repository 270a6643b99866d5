"""The maps of a still's faces as one picture, a row for each face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seqfer.explanation.drawing import blend, colours_of
from seqfer.explanation.maps import WHAT_MAPS_SAY, Explainer, Explanation
from seqfer.explanation.places import Place
from seqfer.video.types import Image

CELL_IN, LEFT_IN, HEAD_IN, FOOT_IN, GAP_IN = 2.3, 0.95, 0.72, 0.5, 0.06
PIXELS = 460  # side of a drawn map


def plot_explained(image: Image, places: list[Place], explainer: Explainer, title: str) -> Figure:
    """For each face of a still what the model sees of it, and its maps.

    Args:
        image: (H, W, 3).
        places: of its faces, at least one.
        explainer: makes the maps.
        title: above the picture.
    """
    size = explainer.architecture.preprocess.size
    crops = np.stack([place.crop(image, size) for place in places])
    found, seen = explainer.explain(crops), explainer.seen(crops)
    cells = " and ".join(f"{rows} × {columns}" for rows, columns in explainer.cells)
    methods = {
        "saliency": "saliency\n(Simonyan et al., 2014)",
        "gradcam": f"Grad-CAM, {cells} cells\n(Selvaraju et al., 2017)",
    }
    headings = ["what the model sees", *(methods[method] for method in explainer.methods)]
    width = LEFT_IN + CELL_IN * len(headings) + GAP_IN
    height = HEAD_IN + CELL_IN * len(places) + FOOT_IN
    figure = Figure(figsize=(width, height), dpi=200)
    # A name may hold what matplotlib would take for mathematics.
    figure.text(0.1 / width, 1 - 0.1 / height, title, va="top", fontsize=9, fontweight="bold", parse_math=False)
    note = f"{WHAT_MAPS_SAY}\nEach map is scaled to its own maximum; the frame is read alone."
    figure.text(0.1 / width, 0.1 / height, note, va="bottom", fontsize=7, color="#555555")
    side = CELL_IN - GAP_IN
    for row, place in enumerate(places):
        bottom = 1 - (HEAD_IN + CELL_IN * (row + 1)) / height
        caption = f"face {place.track_id}\n" + found.caption_of(row).replace(" ", "\n")
        figure.text(
            (LEFT_IN - 0.1) / width, bottom + side / 2 / height, caption, ha="right", va="center", fontsize=9
        )
        for column, (picture, remark) in enumerate(_panels(seen[row], found, row)):
            left = (LEFT_IN + CELL_IN * column) / width
            axes = figure.add_axes((left, bottom, side / width, side / height))
            axes.imshow(picture, interpolation="nearest")
            axes.set_axis_off()
            plate = {"facecolor": "black", "alpha": 0.6, "linewidth": 0}
            axes.text(
                0.5, 0.05, remark, transform=axes.transAxes, ha="center", fontsize=8, color="white", bbox=plate
            )
            if row == 0:
                axes.set_title(headings[column], fontsize=8)
    return figure


def _panels(seen: Image, found: Explanation, row: int) -> Iterator[tuple[Image, str]]:
    """A face as the model sees it, then its maps, each with a remark if there is one."""
    face = _enlarged(seen, cv2.INTER_CUBIC)
    yield face, ""
    for method, maps in found.maps.items():
        heat = maps[row]
        remark = "" if heat.any() else f"nothing speaks for {found.label_of(row)}"
        if method == "saliency":
            yield colours_of(_enlarged(heat, cv2.INTER_NEAREST)), remark
        else:
            yield blend(face, _enlarged(heat, cv2.INTER_LINEAR)), remark


def _enlarged(picture: NDArray[Any], how: int) -> NDArray[Any]:
    return np.asarray(cv2.resize(picture, (PIXELS, PIXELS), interpolation=how), picture.dtype)
