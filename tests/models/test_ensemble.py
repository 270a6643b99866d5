from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from seqfer.errors import ModelError
from seqfer.labels import FER7, LabelSet
from seqfer.models.checkpoint import Checkpoint, Provenance, load_checkpoint, save_checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.ensemble import ensemble_of, with_mirror_images
from seqfer.models.heads import soften
from seqfer.models.inference import Predictor
from seqfer.preprocess import Preprocess

CPU = torch.device("cpu")
MEMBERS = [
    Architecture("vgg", {"widths": (4, 8), "convolutions": (1, 1)}, "mean"),
    Architecture(
        "vgg", {"widths": (4, 8, 8), "convolutions": (1, 1, 1), "flattened": 6}, "mean", {"dropout": 0.5}
    ),
    Architecture("compact", {"stem_width": 4, "widths": (8,), "blocks": (1,)}, "mean"),
]


def member(architecture: Architecture, seed: int) -> Checkpoint:
    """A member of its own opinions, which every member has after training."""
    torch.manual_seed(seed)
    model = SequenceClassifier(architecture).eval()
    with torch.no_grad():
        for weight in model.head.parameters():
            weight.normal_(0, 2)
    return Checkpoint(f"m{seed}", model, f"{seed}" * 64, Provenance({"config": {"data": {"faces": "none"}}}))


@pytest.fixture
def members() -> list[Checkpoint]:
    return [member(architecture, seed) for seed, architecture in enumerate(MEMBERS)]


def test_probabilities_are_the_members_average(members: list[Checkpoint]) -> None:
    model, _ = ensemble_of(members)
    crops = np.random.default_rng(0).integers(0, 256, (9, 48, 48, 1), dtype=np.uint8)
    times = np.arange(9) / 25

    def read(one: SequenceClassifier) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        predictor = Predictor(one, CPU, "float32")
        embeddings = predictor.encode(crops)
        return predictor.read_stills(embeddings), *predictor.read_clip(embeddings, times)

    alone = [read(one.model) for one in members]
    together = read(model)
    assert max(np.abs(a[0] - b[0]).max() for a in alone for b in alone) > 0.3  # they do not agree from the start
    for kind in range(3):
        expected = np.mean([one[kind] for one in alone], axis=0)
        np.testing.assert_allclose(together[kind], expected, atol=2e-3)  # embeddings are kept as float16


def test_a_mirrored_one_says_the_same_of_a_face_and_its_mirror_image(members: list[Checkpoint]) -> None:
    plain, mirrored = ensemble_of(members)[0], ensemble_of(members, mirrored=True)[0]
    images = torch.randn(4, 1, 48, 48)
    with torch.inference_mode():
        both = mirrored.encoder(images)
        torch.testing.assert_close(both, mirrored.encoder(images.flip(3)))
        torch.testing.assert_close(both, (plain.encoder(images) + plain.encoder(images.flip(3))) / 2)
        assert (both - plain.encoder(images)).abs().max() > 0.01


def test_mirror_images_can_be_read_from_any_time_on(members: list[Checkpoint]) -> None:
    plain, expected = ensemble_of(members)[0], ensemble_of(members, mirrored=True)[0]
    soften(plain.head, 0.5)
    soften(expected.head, 0.5)
    model = with_mirror_images(plain)
    assert model.architecture == expected.architecture
    clips, lengths = torch.randn(2, 3, 1, 48, 48), torch.tensor([3, 1])
    with torch.inference_mode():
        assert torch.equal(model(clips, lengths).frame_logits, expected(clips, lengths).frame_logits)
    with pytest.raises(ModelError, match="only an ensemble"):
        with_mirror_images(members[0].model)


def test_norms_are_folded_once_however_often_a_member_reads(members: list[Checkpoint]) -> None:
    for norm in (part for one in members for part in one.model.modules() if isinstance(part, nn.BatchNorm2d)):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.3, 3)
    crops = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 1), dtype=np.uint8)
    for mirrored in (False, True):
        model, _ = ensemble_of(members, mirrored)
        images = model.architecture.preprocess(torch.from_numpy(crops))
        with torch.inference_mode():
            alone = model(images[:, None], torch.ones(5, dtype=torch.int64)).clip_logits.softmax(1)
        predictor = Predictor(model, CPU, "float32")
        np.testing.assert_allclose(predictor.read_stills(predictor.encode(crops)), alone, atol=2e-3)


def test_padding_has_no_say(members: list[Checkpoint]) -> None:
    model, _ = ensemble_of(members)
    clips = torch.randn(2, 3, 1, 48, 48)
    with torch.inference_mode():
        both = model(clips, torch.tensor([3, 1]))
        alone = model(clips[1:, :1], torch.tensor([1]))
    torch.testing.assert_close(both.clip_logits[1], alone.clip_logits[0], rtol=1e-4, atol=1e-4)
    assert not both.frame_logits[1, 1:].any()


def test_it_is_a_model_as_any_other(members: list[Checkpoint], tmp_path: Path) -> None:
    model, provenance = ensemble_of(members, mirrored=True)
    save_checkpoint(tmp_path / "hero", model, provenance)
    loaded = load_checkpoint(tmp_path / "hero")
    assert loaded.model.architecture == model.architecture
    assert [one["sha256"] for one in loaded.provenance.training["members"]] == [m.sha256 for m in members]
    # Its own clips are made as its members' were.
    assert loaded.provenance.training["config"]["data"] == {"faces": "none"}
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name])


def test_a_temperature_softens_the_average(members: list[Checkpoint]) -> None:
    model, _ = ensemble_of(members)
    clips, lengths = torch.randn(2, 1, 1, 48, 48), torch.ones(2, dtype=torch.int64)
    with torch.inference_mode():
        before = model(clips, lengths).clip_logits
        soften(model.head, 2.0)
        torch.testing.assert_close(model(clips, lengths).clip_logits * 2, before)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"head": "bilstm", "head_settings": {}},
            "m9: an ensemble averages frame models; this one has head bilstm",
        ),
        ({"labels": LabelSet(("happy", "sad"))}, "m9: reads other labels than m0"),
        ({"preprocess": Preprocess(64)}, "m9: reads other preprocess than m0"),
        ({"preprocess": Preprocess(equalize=True)}, "m9: reads other preprocess than m0"),
        ({"frame_rate": 5.0}, "m9: reads other frame_rate than m0"),
        ({"window_s": 1.0}, "m9: reads other window_s than m0"),
    ],
    ids=["head", "labels", "size", "equalised", "rate", "window"],
)
def test_members_that_do_not_fit_are_refused(changes: dict, said: str, members: list[Checkpoint]) -> None:
    other = member(replace(MEMBERS[0], **changes), 9)
    with pytest.raises(ModelError, match=said):
        ensemble_of([*members, other])


@pytest.mark.parametrize("data", [{"faces": "haar"}, {"faces": "none", "picture_rate": 5.0}, {}])
def test_members_whose_clips_were_made_otherwise_are_refused(data: dict, members: list[Checkpoint]) -> None:
    other = replace(members[1], provenance=Provenance({"config": {"data": data}}))
    with pytest.raises(ModelError, match="m1: its clips were made otherwise than those of m0"):
        ensemble_of([members[0], other])


def test_wrong_parts_are_refused() -> None:
    architecture = Architecture("compact", {}, "average", {"parts": (3, 4)}, FER7)
    with pytest.raises(ModelError, match="parts must sum to the embedding's 256 numbers"):
        SequenceClassifier(architecture)
    with pytest.raises(ModelError, match="an ensemble needs members"):
        SequenceClassifier(Architecture("ensemble", {}, "mean"))
