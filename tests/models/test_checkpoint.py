from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from seqfer.errors import ModelError
from seqfer.labels import EKMAN6
from seqfer.models import checkpoint as module
from seqfer.models.bundled import bundled_models, load_model, model_folder
from seqfer.models.checkpoint import DESCRIPTION, WEIGHTS, Provenance, load_checkpoint, save_checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.preprocess import CropGeometry, Preprocess

SMALL = Architecture(
    encoder_settings={"stem_width": 8, "widths": (8, 16), "blocks": (1, 1)},
    head_settings={"width": 8},
    labels=EKMAN6,
    preprocess=Preprocess(size=32, channels=3, geometry=CropGeometry(margin=1.5, align=False)),
    frame_rate=12.5,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    provenance = Provenance(training={"data": "none"}, metrics={"PublicTest": {"accuracy": 0.5}})
    save_checkpoint(tmp_path / "mine", SequenceClassifier(SMALL), provenance)
    return tmp_path / "mine"


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    document = json.loads((folder / DESCRIPTION).read_text())
    change(document)
    (folder / DESCRIPTION).write_text(json.dumps(document))


def test_a_model_comes_back_as_it_was(folder: Path) -> None:
    torch.manual_seed(0)
    original = SequenceClassifier(SMALL).eval()
    loaded = load_checkpoint(folder)
    assert loaded.name == "mine"
    shutil.copytree(folder, folder.parent / "run" / "best")
    assert load_checkpoint(folder.parent / "run" / "best").name == "run/best"
    assert loaded.model.architecture == SMALL
    assert loaded.provenance.metrics == {"PublicTest": {"accuracy": 0.5}}
    clips, lengths = torch.randn(2, 3, 3, 32, 32), torch.tensor([3, 2])
    with torch.inference_mode():
        assert torch.equal(original(clips, lengths).frame_logits, loaded.model(clips, lengths).frame_logits)


def test_half_precision_halves_the_file_and_hardly_moves_the_numbers(tmp_path: Path, folder: Path) -> None:
    model = load_checkpoint(folder).model
    save_checkpoint(tmp_path / "half", model, Provenance(), torch.float16)
    assert (tmp_path / "half" / WEIGHTS).stat().st_size < 0.62 * (folder / WEIGHTS).stat().st_size
    clips, lengths = torch.randn(2, 3, 3, 32, 32), torch.tensor([3, 2])
    half = load_checkpoint(tmp_path / "half").model
    with torch.inference_mode():
        difference = (half(clips, lengths).clip_logits - model(clips, lengths).clip_logits).abs().max()
    assert 0 < difference < 0.01


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda f: (f / DESCRIPTION).unlink(), r"model\.json: missing"),
        (lambda f: (f / WEIGHTS).unlink(), r"model\.safetensors: missing"),
        (lambda f: (f / DESCRIPTION).write_text("{"), "is not JSON"),
        (lambda f: (f / DESCRIPTION).write_text("[]"), "is not a model description"),
        (lambda f: edit(f, lambda d: d.update(format=99)), "is not a model description of format 1"),
        (lambda f: edit(f, lambda d: d.pop("architecture")), "architecture"),
        (lambda f: edit(f, lambda d: d["architecture"].update(encoder="alexnet")), "unknown encoder 'alexnet'"),
        (lambda f: edit(f, lambda d: d["architecture"].update(frame_rate="fast")), r"architecture\.frame_rate"),
        (lambda f: edit(f, lambda d: d["architecture"].update(colour=1)), r"architecture\.colour"),
        (lambda f: edit(f, lambda d: d["architecture"]["labels"].update(names=["happy"])), "label"),
        (lambda f: edit(f, lambda d: d["architecture"]["preprocess"].update(size=3)), "input size"),
        (lambda f: edit(f, lambda d: d["architecture"]["head_settings"].update(width=9)), "does not fit"),
        (lambda f: edit(f, lambda d: d["architecture"]["head_settings"].update(width=0)), "head 'bilstm'"),
        (lambda f: edit(f, lambda d: d["architecture"]["head_settings"].update(dropout=5)), "head 'bilstm'"),
        (
            lambda f: edit(f, lambda d: d["architecture"]["encoder_settings"].update(widths=[])),
            "equal length",
        ),
        (
            lambda f: edit(f, lambda d: d["architecture"]["encoder_settings"].update(stem_width=-1)),
            "stem_width and stem_layers must be at least 1",
        ),
        (
            lambda f: edit(f, lambda d: d["architecture"]["encoder_settings"].update(channels=3)),
            "encoder 'compact'",
        ),
        (lambda f: edit(f, lambda d: d.update(training=[1])), "training"),
        (lambda f: edit(f, lambda d: d.pop("metrics")), "metrics"),
        (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-9]), "SHA-256 differs"),
        (lambda f: (f / WEIGHTS).write_bytes(b""), "SHA-256 differs"),
    ],
)
def test_what_is_wrong_with_a_folder_is_one_line(
    folder: Path, damage: Callable[[Path], Any], problem: str
) -> None:
    damage(folder)
    with pytest.raises(ModelError, match=problem) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_another_models_weights_do_not_pass(tmp_path: Path, folder: Path) -> None:
    save_checkpoint(
        tmp_path / "other", SequenceClassifier(replace(SMALL, head_settings={"width": 4})), Provenance()
    )
    (folder / WEIGHTS).write_bytes((tmp_path / "other" / WEIGHTS).read_bytes())
    with pytest.raises(ModelError, match="is not the file that"):
        load_checkpoint(folder)


def test_saving_again_replaces_both_files(folder: Path) -> None:
    before = load_checkpoint(folder).sha256
    torch.manual_seed(1)
    save_checkpoint(folder, SequenceClassifier(SMALL), Provenance())
    assert load_checkpoint(folder).sha256 != before
    assert {file.name for file in folder.iterdir()} == {WEIGHTS, DESCRIPTION}


class TestBundled:
    def test_every_bundled_model_loads_and_is_small(self) -> None:
        assert "compact" in bundled_models()
        for name in bundled_models():
            checkpoint = load_model(name)
            assert checkpoint.name == name
            assert len(checkpoint.model.architecture.labels) >= 6
        size = sum(file.stat().st_size for file in model_folder("compact").iterdir())
        assert size <= 6e6

    def test_a_folder_is_a_model_too(self, folder: Path) -> None:
        assert load_model(folder).name == "mine"
        assert load_model(str(folder)).name == "mine"

    def test_unknown_names_list_the_known_ones(self) -> None:
        with pytest.raises(ModelError, match=r"unknown model 'compct'; did you mean 'compact'?.*known: .*compact"):
            load_model("compct")

    def test_what_cannot_be_read_is_named(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(ModelError, match="cannot be read"):
            load_model(tmp_path / ("x" * 300))

        def closed(path: Path) -> str:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(module, "sha256_of", closed)
        with pytest.raises(ModelError, match=r"cannot be read \(Permission denied\)"):
            load_checkpoint(folder)

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="no such model folder"):
            load_model(tmp_path / "nowhere")
