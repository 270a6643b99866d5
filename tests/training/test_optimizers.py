"""Each stage learns at its own share of the rate; averages follow weights and statistics."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from seqfer.errors import OptionError
from seqfer.labels import EKMAN6
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.preprocess import Preprocess
from seqfer.training.config import OptimizerConfig
from seqfer.training.muon import Muon
from seqfer.training.optimizers import make_optimizer, moving_average, set_rate, stage_rates, stages_of
from tests.training.striped_clips import SMALL

PLAIN = OptimizerConfig("sgd", rate=0.1, momentum=0.0, weight_decay=0.0)


@pytest.fixture
def model() -> SequenceClassifier:
    """Three stages and a small BiLSTM."""
    torch.manual_seed(0)
    made = SequenceClassifier(
        Architecture(
            encoder_settings=SMALL, head_settings={"width": 4}, labels=EKMAN6, preprocess=Preprocess(16, 1)
        )
    )
    for parameter in made.head.parameters():  # the BiLSTM's context starts at zero
        nn.init.normal_(parameter, std=0.5)
    return made.train()


def learn(model: SequenceClassifier) -> None:
    """Gradients of a batch."""
    images = torch.randn(4, 3, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    output = model(images, torch.tensor([3, 3, 2, 1]))
    (output.frame_logits.square().sum() + output.clip_logits.square().sum()).backward()


def test_each_stage_moves_by_its_share(model: SequenceClassifier) -> None:
    shares = {"stage 0": 0.0, "stage 1": 0.5, "stage 2": 2.0, "head": 1.0}
    optimizer = make_optimizer(model, PLAIN, (0.0, 0.5, 2.0))
    set_rate(optimizer, 0.01)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    learn(model)
    optimizer.step()
    parts = dict(zip(shares, [*stages_of(model), model.head], strict=True))
    seen = set()
    for part, module in parts.items():
        for parameter in module.parameters():
            name = names[id(parameter)]
            seen.add(name)
            if shares[part] == 0:
                assert parameter.grad is None
                assert not parameter.requires_grad
            else:
                assert parameter.grad is not None
                moved = before[name] - 0.01 * shares[part] * parameter.grad
                torch.testing.assert_close(parameter.detach(), moved)
        here = [not torch.equal(parameter, before[names[id(parameter)]]) for parameter in module.parameters()]
        assert any(here) == (shares[part] > 0)
    assert seen == set(before)


def test_a_stage_that_was_frozen_before_learns_again(model: SequenceClassifier) -> None:
    make_optimizer(model, PLAIN, (0.0,))
    optimizer = make_optimizer(model, PLAIN, (1.0,))
    assert all(parameter.requires_grad for parameter in model.parameters())
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())


def test_weights_decay_but_biases_and_norms_do_not(model: SequenceClassifier) -> None:
    optimizer = make_optimizer(model, OptimizerConfig("sgd", momentum=0.0, weight_decay=0.1), (1.0,))
    set_rate(optimizer, 0.5)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    free = {
        f"{owner}.{name}"
        for owner, module in model.named_modules()
        for name, _ in module.named_parameters(recurse=False)
        if "bias" in name or isinstance(module, nn.BatchNorm2d | nn.LayerNorm)
    }
    assert 0 < len(free) < len(before)
    for name, value in model.named_parameters():
        torch.testing.assert_close(value.detach(), before[name] * (1 if name in free else 0.95))


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        ("sgd", torch.optim.SGD, {"momentum": 0.8, "nesterov": True}),
        ("adam", torch.optim.Adam, {"betas": (0.8, 0.999)}),
        ("adamw", torch.optim.AdamW, {"betas": (0.8, 0.999)}),
        ("muon", Muon, {"momentum": 0.8}),
        ("rmsprop", torch.optim.RMSprop, {"momentum": 0.8}),
        ("adagrad", torch.optim.Adagrad, {}),
    ],
)
def test_optimisers_are_those_that_are_named(
    model: SequenceClassifier, name: Any, kind: type, settings: dict[str, Any]
) -> None:
    optimizer = make_optimizer(model, OptimizerConfig(name, momentum=0.8), (1.0,))
    assert type(optimizer) is kind
    assert all(settings.items() <= group.items() for group in optimizer.param_groups)


def test_rates_that_do_not_fit_the_stages_are_refused(model: SequenceClassifier) -> None:
    assert stage_rates(model, (0.5,)) == [0.5, 0.5, 0.5]
    assert stage_rates(model, (0.0, 0.5, 1.0)) == [0.0, 0.5, 1.0]
    with pytest.raises(OptionError) as error:
        make_optimizer(model, PLAIN, (0.0, 1.0))
    assert str(error.value) == (
        "start.stage_rates has 2 entries, but encoder 'compact' has 3 stages; give one for each, or one for all"
    )


class TestMovingAverage:
    def test_after_one_step_it_is_the_model(self, model: SequenceClassifier) -> None:
        average = moving_average(model, 0.999)
        learn(model)  # which also moves the norms' statistics
        average.update_parameters(model)
        for name, value in average.module.state_dict().items():
            assert torch.equal(value, model.state_dict()[name]), name

    def test_it_comes_to_where_the_model_stays_with_the_norms_statistics(self, model: SequenceClassifier) -> None:
        average = moving_average(model, 0.8)
        average.update_parameters(model)
        learn(model)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        average.update_parameters(model)
        state = model.state_dict()
        statistics = next(name for name in state if name.endswith("running_mean"))
        for name in ("head.frame.weight", statistics):  # as yet they lie in between
            assert not average.module.state_dict()[name].equal(state[name])
        for _ in range(100):
            average.update_parameters(model)
        for name, value in average.module.state_dict().items():
            torch.testing.assert_close(value, state[name], msg=name)

    def test_it_counts_in_whole_numbers_what_the_model_counts(self, model: SequenceClassifier) -> None:
        average = moving_average(model, 0.999)
        for _ in range(3):
            learn(model)
            average.update_parameters(model)
        counts = {name: value for name, value in average.module.state_dict().items() if value.dtype == torch.int64}
        assert counts
        assert all(value == 3 for value in counts.values())

    @pytest.mark.parametrize(("decay", "steps"), [(0.999, 20), (0.3, 20)])
    def test_its_memory_grows_to_what_was_asked_for(self, decay: float, steps: int) -> None:
        layer = nn.Linear(1, 1, bias=False)
        average = moving_average(layer, decay)  # type: ignore[arg-type]
        nn.init.ones_(layer.weight)
        average.update_parameters(layer)
        nn.init.zeros_(layer.weight)
        kept = 1.0
        for step in range(1, steps):
            average.update_parameters(layer)
            kept *= min(decay, (1 + step) / (10 + step))
            assert float(average.module.state_dict()["weight"]) == pytest.approx(kept, rel=1e-5)

    def test_it_is_apart_from_the_model(self, model: SequenceClassifier) -> None:
        average = moving_average(model, 0.9)
        average.update_parameters(model)
        with torch.no_grad():
            before = average.module.state_dict()["head.frame.weight"].clone()
            model.state_dict()["head.frame.weight"].add_(1)
        assert average.module.state_dict()["head.frame.weight"].equal(before)
