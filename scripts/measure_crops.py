#!/usr/bin/env python
"""What a model loses between FER-2013's own crops and those that annotate makes.

    python scripts/measure_crops.py compact --fer2013 fer2013.zip --count 600 --margins 1.0,1.1,1.19,1.3

Each still is read whole, as FER-2013 has it, and as annotate would crop it: laid into larger scenes in several
sizes, found there by the detector, cut out with the model's crop geometry. Only stills whose face was found count,
in every reading. "own square" is the still cut out of the scene just where it lies, so that the difference of the
crop from it is of framing alone, not of enlarging and shrinking. The last table says where the crops lie: what a
margin and training's disturbances have to match. Beyond the still a scene is made up, and the further a margin
reaches there, the worse it looks than it would in a video.

PublicTest is for choosing a margin; PrivateTest (--split test) chooses nothing. A few hundred stills (--count)
take a minute or two on a CPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from seqfer.cli.console import errors_on_one_line, progress, remark_line
from seqfer.datasets.fer2013 import StillSet, load_fer2013
from seqfer.errors import OptionError, OutputError
from seqfer.evaluation.comparison import Answers, compare
from seqfer.evaluation.framing import (
    PERCENTILES,
    Placement,
    Scene,
    find_still,
    lay_into_scene,
    placement_of,
    spread_of,
)
from seqfer.evaluation.stills import check_labels, taken_whole
from seqfer.evaluation.tables import points
from seqfer.faces.alignment import align, square_of
from seqfer.faces.geometry import cut_square
from seqfer.faces.types import DETECTORS, Detection, Detector, create_detector
from seqfer.files import write_whole
from seqfer.labels import FER7
from seqfer.models.bundled import load_model
from seqfer.models.inference import Predictor, read_crops
from seqfer.preprocess import Preprocess

CONSOLE = Console(width=130, highlight=False)
Number = TypeVar("Number", int, float)

OWN = "own square"
COLUMNS = ("side", "found", "n", "margin", "whole", OWN, "crop", "crop - whole", f"crop - {OWN}")
RESAMPLES = 1000  # behind each interval; there are many of them
SHEET_STILLS, SHEET_PIXELS = 6, 144  # of the contact sheet: stills of each size, and height of a row


@dataclass
class Crops:
    """The crops of stills that were found in scenes of one size.

    Attributes:
        side: of the stills in the scenes, in pixels.
        found: positions of the stills.
        by_margin: for each margin, and for the stills' own squares, their crops (S, S, 3).
        placements: for each margin where they lie.
        sheet: rows of the contact sheet.
    """

    side: int
    found: list[int] = field(default_factory=list)
    by_margin: dict[str, list[NDArray[np.uint8]]] = field(default_factory=dict)
    placements: dict[str, list[Placement]] = field(default_factory=dict)
    sheet: list[NDArray[np.uint8]] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a bundled model or a model's folder")
    parser.add_argument("--fer2013", type=Path, required=True, help="fer2013.csv, class folders, or a zip of them")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--count", type=int, help="only so many stills, drawn by --seed")
    parser.add_argument("--sides", default="96,144,192", help="of the stills in the scenes, in pixels")
    parser.add_argument("--margins", help="of the crops, as 1.0,1.19,1.3; the model's own if not given")
    parser.add_argument("--detector", choices=DETECTORS, default="mediapipe")
    parser.add_argument("--seed", type=int, default=0, help="of the subset and the scenes")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="draw some scenes and crops")
    options = parser.parse_args()
    model = load_model(options.model).model
    preprocess = model.architecture.preprocess
    check_labels(model.architecture.labels)
    sides = numbers_of(options.sides, int, "--sides")
    margins = [preprocess.geometry.margin]
    if options.margins:
        margins = numbers_of(options.margins, float, "--margins")
    by_margin = {
        f"{margin:g}": replace(preprocess, geometry=replace(preprocess.geometry, margin=margin))
        for margin in margins
    }
    if options.sheet and not options.sheet.parent.is_dir():
        raise OutputError(options.sheet, "is in no folder; make it first, or choose another place")
    stills = shuffled(load_fer2013(options.fer2013)[options.split], options.count, options.seed)
    with closing(create_detector(options.detector)) as detector:
        sized = [find_and_crop(stills, side, detector, by_margin, options.seed) for side in sides]
    if options.sheet:
        write_sheet([row for crops in sized for row in crops.sheet], options.sheet)
    for crops in sized:
        if not crops.found:
            remark_line(f"no face was found in stills of {crops.side} pixels; they are left out")
    sized = [crops for crops in sized if crops.found]
    if not sized:
        raise OptionError("the detector found no face; try larger --sides or more stills")
    predictor = Predictor(model, torch.device("cpu"), "float32")
    split = {"validation": "PublicTest", "test": "PrivateTest"}[options.split]
    CONSOLE.rule(f"{options.model} on {len(stills)} stills of {split}, found by {options.detector}")
    print_readings(predictor, stills, sized)
    print_placements(sized)


def numbers_of(text: str, kind: Callable[[str], Number], option: str) -> list[Number]:
    """Distinct numbers between commas.

    Raises:
        OptionError: there is something else.
    """
    try:
        return list(dict.fromkeys(kind(part) for part in text.split(",")))
    except ValueError as error:
        raise OptionError(f"{option} takes numbers between commas, not {text!r}") from error


def shuffled(stills: StillSet, count: int | None, seed: int) -> StillSet:
    """So many of the stills, or all of them, in a random order."""
    if count is not None and not 1 <= count <= len(stills):
        raise OptionError(f"--count must lie in [1, {len(stills)}], not {count}")
    if seed < 0:
        raise OptionError(f"--seed must be at least 0, not {seed}")
    chosen = np.random.default_rng(seed).permutation(len(stills))[:count]
    return StillSet(stills.images[chosen], stills.labels[chosen])


def find_and_crop(
    stills: StillSet, side: int, detector: Detector, by_margin: dict[str, Preprocess], seed: int
) -> Crops:
    """Lay each still into a scene, find it there, and cut it out with each margin."""
    crops = Crops(side, by_margin={name: [] for name in (OWN, *by_margin)})
    crops.placements = {name: [] for name in by_margin}
    size = next(iter(by_margin.values())).size
    with progress(f"stills of {side} pixels", "stills") as advance:
        for position, image in enumerate(stills.images):
            # A generator for each: a scene is the same whatever else is measured.
            scene = lay_into_scene(image, side, np.random.default_rng((seed, side, position)))
            advance(position + 1, len(stills))
            face = find_still(scene, detector)
            if face is None:
                continue
            crops.found.append(position)
            crops.by_margin[OWN].append(cut_square(scene.image, scene.still.centre, side, size))
            for name, preprocess in by_margin.items():
                crops.by_margin[name].append(align(scene.image, face, preprocess))
                square = square_of(face, preprocess.geometry)
                crops.placements[name].append(placement_of(square, scene.still))
            if len(crops.sheet) < SHEET_STILLS:
                cut = [own[-1] for own in crops.by_margin.values()]
                crops.sheet.append(sheet_row(image, scene, face, cut))
    return crops


def print_readings(predictor: Predictor, stills: StillSet, sized: Sequence[Crops]) -> None:
    """The model's figures on crops beside those on the same stills, read whole or cut out where they lie."""
    whole = read_crops(predictor, taken_whole(stills.images, predictor.architecture.preprocess.size)).argmax(1)
    predicted = {
        name: [read_crops(predictor, np.stack(crops.by_margin[name])).argmax(1) for crops in sized]
        for name in sized[0].by_margin
    }
    parts = {str(crops.side): [k] for k, crops in enumerate(sized)}
    if len(sized) > 1:
        parts["all"] = list(range(len(sized)))
    tables = {
        "accuracy": Table(*COLUMNS, title="accuracy; differences in points, with paired 95 % intervals"),
        "uar": Table(*COLUMNS, title="UAR; differences in points, with paired 95 % intervals"),
    }
    for side, part in parts.items():
        positions = np.concatenate([sized[k].found for k in part])
        share = f"{100 * len(positions) / (len(stills) * len(part)):.1f} %"
        own, *by_margin = (np.concatenate([answers[k] for k in part]) for answers in predicted.values())
        for margin, crop in zip(sized[0].placements, by_margin, strict=True):
            from_whole = compared(stills, positions, whole[positions], crop)
            from_own = compared(stills, positions, own, crop)
            for name, table in tables.items():
                values = from_whole[name][0], from_own[name][0], from_own[name][1]
                differences = (in_points(found[name][2:]) for found in (from_whole, from_own))
                texts = (f"{100 * value:.1f} %" for value in values)
                table.add_row(side, share, str(len(positions)), margin, *texts, *differences)
        for table in tables.values():
            table.add_section()
    for table in tables.values():
        CONSOLE.print(table)


def compared(
    stills: StillSet, positions: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> dict[str, tuple[float, float, float, float, float]]:
    """Figures of two readings, and their paired differences; the sizes of one still are drawn together."""
    ids = tuple(str(k) for k in range(len(positions)))
    own_stills = tuple(str(position) for position in positions)
    truth = stills.labels[positions]
    answers = [Answers(FER7, ids, own_stills, truth, predicted) for predicted in (first, second)]
    return compare(answers[0], answers[1], RESAMPLES).figures


def in_points(difference: Sequence[float]) -> str:
    """A difference of shares and its interval, in points of a hundred."""
    value, low, high = difference
    return f"{100 * value:+.1f} ({points((low, high))})"


def print_placements(sized: Sequence[Crops]) -> None:
    """Where the crops lie relative to the stills."""
    named = {
        "scale": ("side of the crop over the still's", "{:.2f}"),
        "right": ("to the right, in sides of the crop", "{:+.3f}"),
        "down": ("downwards, in sides of the crop", "{:+.3f}"),
        "turn_deg": ("turned clockwise, degrees", "{:+.1f}"),
    }
    table = Table("margin", "where the crop lies", *(f"{percentile} %" for percentile in PERCENTILES))
    table.title = "placement of the crops in all sizes: percentiles"
    for margin in sized[0].placements:
        spread = spread_of([placement for crops in sized for placement in crops.placements[margin]])
        for name, values in spread.items():
            text, form = named[name]
            table.add_row(margin, text, *(form.format(value) for value in values))
        table.add_section()
    CONSOLE.print(table)


def sheet_row(
    still: NDArray[np.uint8], scene: Scene, face: Detection, crops: list[NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """A still, its scene with the face's box, the still's own square, and the crops, side by side."""
    drawn = scene.image.copy()
    x1, y1, x2, y2 = (round(value) for value in face.box)
    cv2.rectangle(drawn, (x1, y1), (x2, y2), (255, 0, 0), 2)
    pictures = [np.repeat(still[:, :, None], 3, axis=2), drawn, *crops]
    widths = [round(SHEET_PIXELS * picture.shape[1] / picture.shape[0]) for picture in pictures]
    return np.concatenate(
        [cv2.resize(p, (width, SHEET_PIXELS)) for p, width in zip(pictures, widths, strict=True)], axis=1
    )


def write_sheet(rows: list[NDArray[np.uint8]], path: Path) -> None:
    """Write the contact sheet, unless nothing was found."""
    if rows:
        done, data = cv2.imencode(".png", cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))
        assert done
        with write_whole(path) as place:
            place.write_bytes(data.tobytes())


if __name__ == "__main__":
    with errors_on_one_line():
        main()
