"""The contract of every encoder."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seqfer.errors import ModelError
from seqfer.models.encoders import ENCODERS, build_encoder, middle_of

# What an encoder cannot do without, and the side of pictures that it is made for.
NEEDED: dict[str, dict[str, Any]] = {
    "ensemble": {"members": (("vgg", {"widths": (8, 16), "convolutions": (1, 1)}), ("compact", {}))}
}
SIDES = {"resnet50_flat": 112}


def build(name: str, channels: int = 1) -> torch.nn.Module:
    return build_encoder(name, channels, NEEDED.get(name, {}))


def pictures(name: str, count: int, channels: int = 1) -> torch.Tensor:
    side = SIDES.get(name, 48)
    return torch.randn(count, channels, side, side)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("name", ENCODERS)
def test_maps_images_to_embeddings_one_by_one(name: str, channels: int) -> None:
    torch.manual_seed(0)
    encoder = build(name, channels).eval()
    images = pictures(name, 3, channels)
    with torch.inference_mode():
        together = encoder(images)
        alone = torch.cat([encoder(image[None]) for image in images])
    assert together.shape == (3, encoder.embedding_dim)
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ENCODERS)
def test_every_weight_learns(name: str) -> None:
    torch.manual_seed(0)
    encoder = build(name).train()
    encoder(pictures(name, 4)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


@pytest.mark.parametrize("name", ENCODERS)
def test_stages_hold_all_weights_from_the_input_on(name: str) -> None:
    encoder = build(name)
    stages = encoder.stages()  # type: ignore[operator]
    for kind in ("parameters", "buffers"):
        in_stages = [id(tensor) for stage in stages for tensor in getattr(stage, kind)()]
        assert in_stages == [id(tensor) for tensor in getattr(encoder, kind)()]
    assert all(list(stage.parameters()) for stage in stages)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {}) for name in ENCODERS if name not in ("fernet", "resnet50_flat", "ensemble")),
        ("compact", {"stem_layers": 2, "widths": (8, 16), "blocks": (2, 3)}),
    ],
)
def test_the_embedding_is_the_mean_of_what_the_stages_make_one_after_the_other(
    name: str, settings: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(name, 1, settings).eval()
    images = torch.randn(2, 1, 48, 48)
    with torch.inference_mode():
        maps = images
        for stage in encoder.stages():  # type: ignore[operator]
            maps = stage(maps)
        torch.testing.assert_close(maps.mean((2, 3)), encoder(images))


def test_flattened_maps_keep_their_places() -> None:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"widths": (4, 8, 8, 16), "flattened": 3}
    encoder = build_encoder("vgg", 1, settings).eval()
    images = torch.randn(2, 1, 48, 48)
    with torch.inference_mode():
        maps = encoder.layers(images)  # type: ignore[operator]
        assert encoder.embedding_dim == 16 * 3 * 3
        assert torch.equal(encoder(images), maps.flatten(1))


@pytest.mark.parametrize(
    ("shape", "side", "first"), [((4, 4), 2, 5), ((4, 4), 4, 0), ((5, 5), 2, 6), ((5, 4), 3, 4)]
)
def test_the_middle_of_an_image(shape: tuple[int, int], side: int, first: int) -> None:
    image = torch.arange(float(shape[0] * shape[1])).reshape(1, 1, *shape)
    cut = middle_of(image, side)
    assert cut.shape == (1, 1, side, side)
    assert cut[0, 0, 0, 0] == first
    assert middle_of(image, 0) is image


def test_an_encoder_of_the_middle_reads_nothing_around_it() -> None:
    torch.manual_seed(0)
    encoder = build_encoder("vgg", 1, {"widths": (4, 8), "convolutions": (1, 1), "middle": 40}).eval()
    images = torch.randn(2, 1, 48, 48)
    framed = torch.zeros_like(images)
    framed[:, :, 4:44, 4:44] = images[:, :, 4:44, 4:44]
    with torch.inference_mode():
        assert torch.equal(encoder(images), encoder(framed))
        assert torch.equal(encoder(images), encoder(images[:, :, 4:44, 4:44]))


def test_unknown_names_and_settings_are_refused() -> None:
    with pytest.raises(ModelError, match="unknown encoder 'vgg19'; known: compact"):
        build_encoder("vgg19", 1, {})
    with pytest.raises(ModelError, match="depth"):
        build_encoder("compact", 1, {"depth": 3})
    with pytest.raises(ModelError, match="equal length"):
        build_encoder("compact", 1, {"widths": (32, 64), "blocks": (1,)})
    with pytest.raises(ModelError, match=r"widths and convolutions must have equal length: \(8, 16\), \(2,\)"):
        build_encoder("vgg", 1, {"widths": (8, 16), "convolutions": (2,)})


@pytest.mark.parametrize(("name", "counts"), [("vgg", "convolutions"), ("compact", "blocks")])
def test_a_stage_without_layers_is_refused(name: str, counts: str) -> None:
    with pytest.raises(ModelError, match=counts):
        build_encoder(name, 1, {"widths": (8, 16), counts: (0, 1)})
