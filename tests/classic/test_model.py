"""A forest's folder: what is read says what was written; what is missing, damaged or foreign is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from seqfer.classic.features import read_features
from seqfer.classic.model import DESCRIPTION, ENCODER, FOREST, OWN_FILES, load_forest, save_forest
from seqfer.errors import ModelError
from seqfer.files import sha256_of
from tests.classic.frozen_model import classic_config, fitted_model
from tests.training.striped_clips import split_of, striped_clips


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forest") / "model"
    save_forest(folder, fitted_model(striped_clips(), classic_config()))
    return folder


def test_what_is_read_says_what_was_written(saved: Path) -> None:
    packed = striped_clips()
    model = fitted_model(packed, classic_config())
    found, sha256 = load_forest(saved)
    assert sha256 == sha256_of(saved / FOREST)
    assert sorted(path.name for path in saved.iterdir()) == sorted(OWN_FILES)
    assert (found.labels, found.encoder.preprocess) == (model.labels, model.encoder.preprocess)
    assert (found.encoder.settings, found.encoder.origin) == (model.encoder.settings, "scratch")
    assert found.training == json.loads(json.dumps(model.training))
    np.testing.assert_array_equal(found.selected, model.selected)
    clips = split_of(packed, "validation")
    own, theirs = (read_features(one.encoder, packed, clips, torch.device("cpu")) for one in (model, found))
    np.testing.assert_array_equal(own, theirs)
    np.testing.assert_array_equal(
        model.forest.probabilities(own[:, model.selected]), found.forest.probabilities(theirs[:, found.selected])
    )
    assert "Forest(20 trees" in repr(found)


def test_saving_again_replaces(saved: Path, tmp_path: Path) -> None:
    place = tmp_path / "model"
    shutil.copytree(saved, place)
    save_forest(place, fitted_model(striped_clips(), classic_config(forest={"trees": 3})))
    assert len(load_forest(place)[0].forest.roots) == 3


def with_description(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / DESCRIPTION
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return apply


def with_arrays(change: Callable[[dict], None]) -> Callable[[Path], None]:
    """Another forest, whose digest the description knows."""

    def apply(folder: Path) -> None:
        arrays = load_file(folder / FOREST)
        change(arrays)
        save_file(arrays, folder / FOREST)
        with_description(lambda document: document.update(forest_sha256=sha256_of(folder / FOREST)))(folder)

    return apply


def flip_byte(file: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        content = bytearray((folder / file).read_bytes())
        content[-1] ^= 1
        (folder / file).write_bytes(content)

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "no such model folder"),
        (lambda folder: (folder / ENCODER).unlink(), "encoder.safetensors: missing; what `seqfer classic fit`"),
        (flip_byte(FOREST), "forest.safetensors: is not the file that forest.json describes"),
        (flip_byte(ENCODER), "encoder.safetensors: is not the file that forest.json describes"),
        (lambda folder: (folder / DESCRIPTION).write_text("{"), "is not JSON"),
        (with_description(lambda d: d.update(format=2)), "is not a model description of format 1"),
        (with_description(lambda d: d["encoder"].update(name="alexnet")), "unknown encoder 'alexnet'"),
        (with_description(lambda d: d["encoder"].pop("origin")), "origin"),
        (with_description(lambda d: d["preprocess"].update(size="big")), "size"),
        (
            with_description(lambda d: d["labels"].update(names=["a", "b"])),
            "the forest tells 3 classes apart, not 2",
        ),
        (with_arrays(lambda a: a.update(selected=a["selected"] + 1000)), "are not among the encoder's 256"),
        (with_arrays(lambda a: a.update(selected=a["selected"][:1])), "more features than the 1 selected ones"),
        (with_arrays(lambda a: a.pop("selected")), "selected"),
        (with_arrays(lambda a: a.update(more=a["roots"])), "more"),
        (with_arrays(lambda a: a.update(children=a["children"] * 0)), "point to where nothing is"),
    ],
)
def test_what_is_missing_or_damaged_is_one_line(
    damage: Callable[[Path], None], message: str, saved: Path, tmp_path: Path
) -> None:
    place = tmp_path / "model"
    shutil.copytree(saved, place)
    damage(place)
    with pytest.raises(ModelError) as error:
        load_forest(place)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
