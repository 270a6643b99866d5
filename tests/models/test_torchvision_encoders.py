"""ImageNet weights lie in the hub's folder and give torchvision's own features."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from seqfer.errors import ModelError
from seqfer.models.checkpoint import Provenance, load_checkpoint, save_checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.inference import Predictor
from seqfer.models.torchvision_encoders import IMAGENET_WEIGHTS, TorchvisionEncoder, imagenet_state
from seqfer.preprocess import Preprocess

State = dict[str, Tensor]


def trained(network: nn.Module, seed: int = 0) -> nn.Module:
    """A network in eval mode whose norms have statistics and weights of their own, as after training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                for values, low, high in (
                    (module.weight, 0.5, 1.5),
                    (module.bias, -0.2, 0.2),
                    (module.running_mean, -0.2, 0.2),
                    (module.running_var, 0.5, 1.5),
                ):
                    values.uniform_(low, high, generator=generator)
    return network.eval()


def weights_file(name: str, hub: Path) -> Path:
    """Where the hub keeps the weights of a network."""
    return hub / "checkpoints" / Path(urlparse(IMAGENET_WEIGHTS[name].url).path).name


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of PyTorch's hub folder, on a machine without a network."""

    def unreachable(*_: object, **__: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub"


@pytest.fixture(scope="module")
def resnet18_state() -> State:
    state: State = models.get_model("resnet18", weights=None).state_dict()
    return state


@pytest.mark.parametrize("name", IMAGENET_WEIGHTS)
def test_imagenet_weights_give_the_features_of_torchvisions_network(name: str, hub: Path) -> None:
    torch.manual_seed(0)
    network = trained(models.get_model(name, weights=None))
    torch.save(network.state_dict(), weights_file(name, hub))
    coloured, grey = TorchvisionEncoder(name, 3).eval(), TorchvisionEncoder(name, 1).eval()
    coloured.load_state_dict(imagenet_state(name, 3))
    grey.load_state_dict(imagenet_state(name, 1))
    if name == "mobilenet_v2":
        network.classifier = nn.Identity()
    else:
        network.fc = nn.Identity()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = network(images)
        assert expected.shape == (2, coloured.embedding_dim)
        torch.testing.assert_close(coloured(images), expected)
        thrice = coloured(images[:, :1].expand(-1, 3, -1, -1))
        torch.testing.assert_close(grey(images[:, :1]), thrice, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (URLError("Name or service not known"), "Name or service not known"),
        (HTTPError("https://download.pytorch.org", 403, "Forbidden", {}, None), "Forbidden"),  # type: ignore[arg-type]
        (TimeoutError("timed out"), "timed out"),
    ],
    ids=["offline", "forbidden", "slow"],
)
def test_weights_that_cannot_be_downloaded_are_one_line_with_two_ways_out(
    hub: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: Exception,
    reason: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(torch.hub, "urlopen", fail)
    with pytest.raises(ModelError) as error:
        imagenet_state("mobilenet_v2", 1)
    file = weights_file("mobilenet_v2", hub)
    assert str(error.value) == (
        f"the ImageNet weights of mobilenet_v2 cannot be downloaded ({reason}); put {file.name} into "
        f"{file.parent}, or set start.weights to scratch"
    )
    assert not any(file.parent.iterdir())
    assert capsys.readouterr() == ("", "")


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        lambda state: b"",
        lambda state: b"<!DOCTYPE html><html>Log in to this network</html>",
        lambda state: bytes(range(97, 123)),
        lambda state: b"\x80\x02K\x01R.",  # a pickle's opcodes that take from an empty stack
        lambda state: saved(state)[:-10],
        lambda state: saved({**state, "fc.weight": torch.zeros(3)}),
        lambda state: saved({name: value for name, value in state.items() if "layer4" not in name}),
        lambda state: saved({"state_dict": state}),
        lambda state: saved(nn.Linear(2, 3)),
        lambda state: saved(torch.zeros(3)),
        lambda state: saved(list(state.values())),
    ],
    ids=["empty", "page", "text", "opcodes", "cut", "shape", "fewer", "nested", "module", "tensor", "list"],
)
def test_a_file_of_something_else_is_one_line(
    hub: Path, resnet18_state: State, content: Callable[[State], bytes]
) -> None:
    file = weights_file("resnet18", hub)
    file.write_bytes(content(resnet18_state))
    with pytest.raises(ModelError) as error:
        imagenet_state("resnet18", 1)
    message = str(error.value)
    assert message.startswith(f"{file}: does not hold the ImageNet weights of resnet18 (")
    assert message.endswith("); remove it")
    assert message.isprintable()


def test_encoders_without_imagenet_weights_name_those_with(hub: Path) -> None:
    with pytest.raises(ModelError) as error:
        imagenet_state("compact", 1)
    assert str(error.value) == (
        "there are no ImageNet weights for encoder 'compact'; there are for: resnet18, resnet50, mobilenet_v2"
    )


def test_a_checkpoint_of_a_torchvision_encoder_comes_back_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = SequenceClassifier(
        Architecture(encoder="resnet18", head_settings={"width": 8}, preprocess=Preprocess(32, 3))
    )
    trained(model)
    save_checkpoint(tmp_path, model, Provenance())
    loaded = load_checkpoint(tmp_path).model
    clips, lengths = torch.randn(2, 3, 3, 32, 32), torch.tensor([3, 1])
    with torch.inference_mode():
        assert torch.equal(loaded(clips, lengths).clip_logits, model(clips, lengths).clip_logits)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vgg"])
def test_folded_norms_give_the_same_embeddings(name: str) -> None:
    torch.manual_seed(0)
    model = SequenceClassifier(Architecture(encoder=name, head="mean", preprocess=Preprocess(48, 1)))
    trained(model)
    crops = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1), np.uint8)
    folded = Predictor(model, torch.device("cpu"), "float32").encode(crops)
    with torch.inference_mode():
        plain = model.encoder(model.architecture.preprocess(torch.from_numpy(crops)))
    # Embeddings are handed on in float16.
    torch.testing.assert_close(torch.from_numpy(folded).float(), plain, rtol=2e-3, atol=1e-3)
