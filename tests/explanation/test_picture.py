from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from seqfer.demo import portrait_path
from seqfer.explanation.maps import METHODS, WHAT_MAPS_SAY, Explainer
from seqfer.explanation.picture import plot_explained
from seqfer.explanation.places import find_places
from seqfer.video.stills import read_image
from tests.explanation.models import model_of


@pytest.mark.parametrize("methods", [METHODS, ("gradcam",), ("saliency",)], ids=" and ".join)
def test_a_row_for_each_face_and_a_column_for_each_map(methods: tuple[str, ...]) -> None:
    explainer = Explainer(model_of(), torch.device("cpu"), methods, "sad")
    image = read_image(portrait_path())
    places = find_places(portrait_path(), explainer.architecture.preprocess)[0] * 2
    figure = plot_explained(image, places, explainer, "cash$$money.jpg, read by a model")
    assert len(figure.axes) == 2 * (1 + len(methods))
    texts = [text.get_text() for text in figure.texts]
    assert texts[0] == "cash$$money.jpg, read by a model"
    assert texts[1].startswith(WHAT_MAPS_SAY)
    assert [text.split("\n")[:2] for text in texts[2:]] == [["face 1", "sad"]] * 2
    headings = [axes.get_title().split("\n")[0] for axes in figure.axes[: 1 + len(methods)]]
    own = {"saliency": "saliency", "gradcam": "Grad-CAM, 3 × 3 cells"}
    assert headings == ["what the model sees", *(own[method] for method in methods)]


def test_the_picture_can_be_written(tmp_path: Path) -> None:
    explainer = Explainer(model_of(), torch.device("cpu"))
    places = find_places(portrait_path(), explainer.architecture.preprocess)[0]
    figure = plot_explained(read_image(portrait_path()), places, explainer, "a title")
    figure.savefig(tmp_path / "picture.png")
    drawn = read_image(tmp_path / "picture.png")
    assert drawn.shape[1] > 1000
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 1000


def test_a_map_without_anything_in_it_says_so() -> None:
    model = model_of(head="mean")
    with torch.no_grad():
        model.head.frame.weight[4] = -1  # type: ignore[union-attr, operator]
    explainer = Explainer(model, torch.device("cpu"), label="sad")
    places = find_places(portrait_path(), explainer.architecture.preprocess)[0]
    figure = plot_explained(read_image(portrait_path()), places, explainer, "a title")
    remarks = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert remarks == [[""], [""], ["nothing speaks for sad"]]
