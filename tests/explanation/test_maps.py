"""Saliency and Grad-CAM against gradients taken by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seqfer.errors import ModelError, OptionError
from seqfer.explanation.maps import METHODS, Explainer, Explanation, last_maps
from seqfer.labels import FER7
from seqfer.models.checkpoint import Checkpoint, Provenance
from seqfer.models.classifier import SequenceClassifier
from seqfer.models.encoders import ENCODERS, build_encoder
from seqfer.models.ensemble import ensemble_of
from seqfer.models.inference import Predictor
from seqfer.preprocess import Preprocess
from tests.explanation.models import SMALL, model_of

CPU = torch.device("cpu")


def crops_of(count: int, size: int = 48, channels: int = 3) -> NDArray[np.uint8]:
    """Smooth random pictures."""
    rough = torch.rand(count, channels, 6, 6, generator=torch.Generator().manual_seed(1))
    smooth = nn.functional.interpolate(rough, (size, size), mode="bilinear")
    return (smooth * 255).byte().permute(0, 2, 3, 1).numpy()


def frame_logits(model: SequenceClassifier, images: Tensor) -> Tensor:
    """As a clip of one frame each has them, by the model's own forward."""
    clips = images[:, None]
    logits: Tensor = model(clips, torch.ones(len(clips), dtype=torch.int64)).frame_logits[:, 0]
    return logits


def head_of(model: SequenceClassifier) -> nn.Linear:
    """The linear layer of a model with the head `mean`."""
    layer = model.head.frame
    assert isinstance(layer, nn.Linear)
    return layer


@pytest.mark.parametrize(
    ("encoder", "size", "channels"),
    [("compact", 48, 1), ("vgg", 48, 1), ("vgg", 48, 3), ("resnet18", 64, 3), ("mobilenet_v2", 64, 1)],
)
def test_saliency_is_the_logits_gradient(encoder: str, size: int, channels: int) -> None:
    model, crops = model_of(encoder, size, channels), crops_of(3, size)
    found = Explainer(model, CPU, ["saliency"]).explain(crops)
    images = model.architecture.preprocess(torch.from_numpy(crops)).requires_grad_()
    logits = frame_logits(model, images)
    targets = logits.argmax(1)
    (gradient,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), images)
    magnitude = gradient.abs().amax(1)
    expected = magnitude / magnitude.amax((1, 2), keepdim=True)
    assert found.targets.tolist() == targets.tolist()
    np.testing.assert_allclose(found.maps["saliency"], expected.numpy(), atol=1e-4)
    np.testing.assert_allclose(found.probabilities, logits.softmax(1).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("encoder", ["compact", "vgg"])
def test_gradcam_as_computed_by_hand(encoder: str) -> None:
    # Behind its last maps A a model with mean pooling and a linear head is known in full: for compact the logit's
    # derivative by each pixel of A_k is w_k / (H W); for VGG those that max-pooling passes on have it, four times
    # fewer pixels being averaged, and so the mean over A_k is the same.
    model, crops = model_of(encoder, head="mean"), crops_of(4)
    images = model.architecture.preprocess(torch.from_numpy(crops))
    layers: Any = model.encoder.layers
    maps: Tensor = layers(images) if encoder == "compact" else layers[-1][:-2](layers[:-1](images))
    weights = head_of(model).weight
    target = 3
    alphas = weights[target] / maps.shape[2:].numel()
    weighed = (alphas[None, :, None, None] * maps).sum(1, keepdim=True)
    large = nn.functional.interpolate(weighed, (48, 48), mode="bilinear").relu()[:, 0]
    expected = large / large.amax((1, 2), keepdim=True).clamp_min(1e-12)
    found = Explainer(model, CPU, ["gradcam"], FER7.names[target]).explain(crops)
    np.testing.assert_allclose(found.maps["gradcam"], expected.detach().numpy(), atol=1e-4)
    assert (found.targets == target).all()


@pytest.mark.parametrize(
    ("encoder", "size", "channels"),
    [
        ("compact", 48, 1),
        ("compact", 64, 3),
        ("vgg", 48, 1),
        ("resnet18", 48, 1),
        ("resnet50", 64, 3),
        ("mobilenet_v2", 64, 3),
        ("fernet", 48, 1),
        ("resnet50_flat", 112, 1),
    ],
)
@pytest.mark.parametrize("colours", [1, 3])
def test_maps_of_every_encoder(encoder: str, size: int, channels: int, colours: int) -> None:
    found = Explainer(model_of(encoder, size, channels), CPU).explain(crops_of(2, size, colours))
    assert set(found.maps) == set(METHODS)
    for maps in found.maps.values():
        assert maps.shape == (2, size, size)
        assert maps.dtype == np.float32
        assert maps.min() >= 0
        assert all(one.max() == 1 or not one.any() for one in maps)
    assert all(one.max() == 1 for one in found.maps["saliency"])
    assert found.probabilities.sum(1) == pytest.approx(np.ones(2), abs=1e-5)


@pytest.mark.parametrize(
    ("encoder", "size", "cells"),
    [
        ("compact", 48, (3, 3)),
        ("vgg", 48, (6, 6)),  # before the last pooling
        ("resnet18", 64, (2, 2)),
        ("resnet50", 112, (4, 4)),
        ("mobilenet_v2", 112, (4, 4)),
    ],
)
def test_gradcam_weighs_the_last_convolutional_maps(encoder: str, size: int, cells: tuple[int, int]) -> None:
    assert Explainer(model_of(encoder, size), CPU, ["gradcam"]).cells == [cells]


def test_dense_layers_behind_the_last_maps_are_passed_over() -> None:
    class WithDense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True))
            self.dense = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 23 * 23, 8), nn.ReLU())

        def stages(self) -> list[nn.Module]:
            return [self.maps, self.dense]

    encoder = WithDense()
    assert last_maps(encoder) == {encoder.maps[1]: 0}


def test_the_map_of_a_network_that_reads_the_middle_lies_in_the_middle() -> None:
    whole = model_of("vgg", 32)
    settings = {**whole.architecture.encoder_settings, "middle": 32}
    wider = replace(whole.architecture, encoder_settings=settings, preprocess=Preprocess(48))
    reader = SequenceClassifier(wider).eval()
    reader.load_state_dict(whole.state_dict())
    crops = crops_of(2, 48)
    around = Explainer(reader, CPU, ["gradcam"], "sad").explain(crops).maps["gradcam"]
    inside = np.zeros(around.shape, bool)
    inside[:, 8:40, 8:40] = True
    assert around[inside].any()
    assert not around[~inside].any()


class Ensemble(nn.Module):
    """Two networks whose embeddings stand one after the other."""

    embedding_dim = 32

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.members = nn.ModuleList(build_encoder(name, channels, SMALL[name]) for name in ("compact", "vgg"))

    def stages(self) -> list[nn.Module]:
        return list(self.members)

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([member(images) for member in self.members], 1)


def test_the_maps_of_an_ensembles_members_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS, "two", Ensemble)
    model, crops = model_of("two", head="mean"), crops_of(3)
    explainer = Explainer(model, CPU, label="sad")
    assert explainer.cells == [(3, 3), (6, 6)]
    both = explainer.explain(crops).maps
    assert all(one.max() == 1 for one in both["saliency"])
    # Of a member whose embedding the head does not read nothing is left in the sum.
    alone = model_of("compact", head="mean")
    members: Any = model.encoder.members
    alone.encoder.load_state_dict(members[0].state_dict())
    with torch.no_grad():
        head_of(model).weight[:, 16:] = 0
        head_of(alone).weight.copy_(head_of(model).weight[:, :16])
    first = Explainer(model, CPU, ["gradcam"], "sad").explain(crops).maps["gradcam"]
    own = Explainer(alone, CPU, ["gradcam"], "sad").explain(crops).maps["gradcam"]
    np.testing.assert_allclose(first, own, atol=1e-4)
    assert np.abs(both["gradcam"] - own).max() > 0.05


def test_a_mirrored_ensembles_maps_lie_over_the_image_itself() -> None:
    members = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        members.append(Checkpoint("", model_of("compact", head="mean"), "", Provenance()))
    crops = crops_of(2)
    plain, mirrored = (Explainer(ensemble_of(members, own)[0], CPU, ["gradcam"], "sad") for own in (False, True))
    assert mirrored.cells == plain.cells
    over, beside, flipped = (
        found.explain(shown).maps["gradcam"]
        for found, shown in ((mirrored, crops), (plain, crops), (plain, np.ascontiguousarray(crops[:, :, ::-1])))
    )
    assert np.corrcoef(over.ravel(), beside.ravel())[0, 1] > 0.99
    assert np.corrcoef(over.ravel(), flipped.ravel())[0, 1] < 0.9


def test_members_with_finer_maps_count_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two members that see the same, one in maps of 3 x 3 cells, the other in the same maps taken four by four."""

    class Finer(nn.Module):
        def __init__(self, maps: nn.Module, factor: int) -> None:
            super().__init__()
            self.embedding_dim = 16
            self.maps, self.factor = maps, factor
            self.last = nn.Conv2d(16, 16, 1, bias=False)
            nn.init.eye_(self.last.weight[:, :, 0, 0])

        def stages(self) -> list[nn.Module]:
            return [self.last]

        def forward(self, images: Tensor) -> Tensor:
            fine = nn.functional.interpolate(self.maps(images), scale_factor=self.factor, mode="nearest")
            return self.last(fine).mean((2, 3))

    class Pair(nn.Module):
        def __init__(self, channels: int = 1) -> None:
            super().__init__()
            maps: Any = build_encoder("compact", channels, SMALL["compact"])
            self.embedding_dim = 32
            self.members = nn.ModuleList([Finer(maps.layers, 1), Finer(maps.layers, 4)])

        def stages(self) -> list[nn.Module]:
            return list(self.members)

        def forward(self, images: Tensor) -> Tensor:
            return torch.cat([member(images) for member in self.members], 1)

    monkeypatch.setitem(ENCODERS, "pair", Pair)
    model, crops = model_of("pair", head="mean"), crops_of(3)
    images = model.architecture.preprocess(torch.from_numpy(crops))
    weights = head_of(model).weight[:, :16].detach().clone()
    totals: list[Tensor] = []
    for mine, other in ((weights, 0 * weights), (0 * weights, weights)):
        with torch.no_grad():
            head_of(model).weight.copy_(torch.cat([mine, other], 1))
        explainer = Explainer(model, CPU, ["gradcam"])
        totals.append(explainer._gradcam(images, torch.full((3,), FER7.index("sad"))).detach().sum((1, 2)))
    assert totals[0].min() > 0
    np.testing.assert_allclose(totals[0], totals[1], rtol=1e-3)


def test_where_nothing_speaks_for_an_expression_the_map_is_empty() -> None:
    model = model_of(head="mean")
    with torch.no_grad():
        head_of(model).weight[2] = -1
    found = Explainer(model, CPU, ["gradcam"], "fear").explain(crops_of(2))
    assert not found.maps["gradcam"].any()


def test_a_crop_is_explained_alone_however_many_come_with_it() -> None:
    model, crops = model_of(), crops_of(35)
    explainer = Explainer(model, CPU)
    together = explainer.explain(crops)
    for row in (0, 15, 16, 34):
        alone = explainer.explain(crops[row : row + 1])
        assert together.caption_of(row) == alone.caption_of(0)
        for method in METHODS:
            np.testing.assert_allclose(together.maps[method][row], alone.maps[method][0], atol=2e-3)


def test_probabilities_are_those_of_a_still() -> None:
    model, crops = model_of(), crops_of(5)
    predictor = Predictor(model, CPU, "float32")
    expected = predictor.read_stills(predictor.encode(crops))
    found = Explainer(model, CPU, ["saliency"]).explain(crops)
    np.testing.assert_allclose(found.probabilities, expected, atol=2e-3)
    row = int(found.probabilities[1].argmax())
    assert found.label_of(1) == FER7.names[row]
    assert found.caption_of(1) == f"{FER7.names[row]} {found.probabilities[1, row]:.2f}"


def test_a_label_is_explained_under_any_of_its_names() -> None:
    explainer = Explainer(model_of(), CPU, label="Happiness")
    found = explainer.explain(crops_of(3))
    assert [found.label_of(row) for row in range(3)] == ["happy"] * 3
    other = Explainer(model_of(), CPU, label="sad").explain(crops_of(3))
    assert np.abs(found.maps["saliency"] - other.maps["saliency"]).max() > 0.1


def test_the_model_is_left_as_it_was() -> None:
    model = model_of().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    explainer = Explainer(model, CPU)
    explainer.explain(crops_of(2))
    assert model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks for module in explainer._encoder.modules())


@pytest.mark.parametrize(
    ("channels", "colours", "expected"),
    [(1, 3, [[[76, 76, 76]]]), (3, 3, [[[255, 0, 0]]]), (3, 1, [[[200, 200, 200]]])],
)
def test_crops_as_the_model_sees_them(channels: int, colours: int, expected: list) -> None:
    crops = np.full((1, 48, 48, colours), 200, np.uint8)
    if colours == 3:
        crops[:] = (255, 0, 0)
    seen = Explainer(model_of(channels=channels), CPU, ["saliency"]).seen(crops)
    assert seen.shape == (1, 48, 48, 3)
    assert (seen == expected).all()


def test_what_cannot_be_explained_is_refused() -> None:
    with pytest.raises(OptionError, match="unknown method 'lime'; known: saliency, gradcam"):
        Explainer(model_of(), CPU, ["lime"])
    with pytest.raises(OptionError, match="unknown label 'bored'; known: angry"):
        Explainer(model_of(), CPU, label="bored")
    with pytest.raises(ModelError, match="the last maps of resnet18 are single pixels at 32 px"):
        Explainer(model_of("resnet18", 32), CPU)
    Explainer(model_of("resnet18", 32), CPU, ["saliency"]).explain(crops_of(1, 32))

    class Dense(nn.Module):
        def stages(self) -> list[nn.Module]:
            return [nn.Sequential(nn.Flatten(), nn.Linear(4, 4))]

    with pytest.raises(ModelError, match="needs a convolutional encoder"):
        last_maps(Dense())


def test_an_explanation_is_of_one_set_of_crops() -> None:
    shares, maps = np.full((2, 7), 1 / 7, np.float32), {"saliency": np.zeros((3, 48, 48), np.float32)}
    with pytest.raises(ValueError, match="same 2 crops"):
        Explanation(FER7, shares, np.zeros(2, np.int64), maps)
    with pytest.raises(ValueError, match="do not fit"):
        Explanation(FER7, shares, np.zeros(3, np.int64), {})
