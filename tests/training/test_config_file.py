"""Settings files: what is not named keeps its default, what is wrong is one line that names the key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from seqfer.classic.config_file import known_forests
from seqfer.errors import OptionError, SeqferError
from seqfer.training.config import ModelConfig, TrainConfig
from seqfer.training.config_file import known_configs, parse_config, read_config, to_yaml
from seqfer.training.sweep import known_sweeps

ROOT = Path(__file__).parents[2]
TOP = (
    "known: model, start, data, augmentation, window, loss, teacher, optimizer, schedule, epochs, batch_size, "
    "select, stop_after, precision, seed; "
)
KNOWN = (
    "accurate, compact, compact-bilstm, mobilenet-bilstm, resnet18-bilstm, resnet50-bilstm, teacher, vgg, "
    "papers/p1-resnet50-pretraining, papers/p1-resnet50-scratch, papers/p1-resnet50-transfer, "
    "papers/p2-compact-cnn, papers/p3-cnn-bilstm, papers/p3-hero-deep, papers/p3-hero-middle, "
    "papers/p3-hero-shallow, papers/p4-mobilenet-pretraining, papers/p5-resnet50"
)


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_shipped_settings_are_known_by_name() -> None:
    assert ", ".join(known_configs()) == KNOWN
    found = {path.relative_to(ROOT / "configs").as_posix() for path in (ROOT / "configs").rglob("*.yaml")}
    assert {f"{name}.yaml" for name in (*known_configs(), *known_sweeps(), *known_forests())} == found


@pytest.mark.parametrize("name", known_configs())
def test_every_shipped_file_holds_settings(name: str) -> None:
    config = read_config(name)
    assert config != TrainConfig()
    assert read_config(ROOT / "configs" / f"{name}.yaml") == config
    paper = name.partition("/")[2][:2]
    command = f"seqfer papers run {paper} " if paper and "pretraining" not in name else f"seqfer train {name} "
    assert command in known_configs()[name].read_text()


@pytest.mark.parametrize("name", [None, *known_configs()])
def test_all_settings_come_back_from_yaml_as_they_were(name: str | None, tmp_path: Path) -> None:
    config = TrainConfig() if name is None else read_config(name)
    assert read_config(written(tmp_path, to_yaml(config))) == config


@pytest.mark.parametrize("text", ["", "# nothing but words\n", "{}", "model: {}\n", "model:\n"])
def test_what_is_not_named_keeps_its_default(text: str, tmp_path: Path) -> None:
    assert read_config(written(tmp_path, text)) == TrainConfig()


@pytest.mark.parametrize(
    ("change", "section", "value"),
    [
        ("epochs=7", "", {"epochs": 7}),
        (" epochs = 7 ", "", {"epochs": 7}),
        ("select=loss", "", {"select": "loss"}),
        ("optimizer.rate=0.25", "optimizer", {"rate": 0.25}),
        ("optimizer.rate=1e-4", "optimizer", {"rate": 1e-4}),  # text to YAML 1.1, which wants 1.0e-4
        ("data.balanced=true", "data", {"balanced": True}),
        ("model.geometry.margin=1.5", "model.geometry", {"margin": 1.5}),
        ("model.labels=[happy, sad]", "model", {"labels": ("happy", "sad")}),
        ("start.stage_rates=[0, 0.5, 1]", "start", {"stage_rates": (0.0, 0.5, 1.0)}),
        ("model.encoder_settings.widths=[8, 16]", "model.encoder_settings", {"widths": (8, 16)}),
        ("model.encoder_settings={blocks: [1, 2]}", "model.encoder_settings", {"blocks": (1, 2)}),
        ("start.weights=runs/a=b/best", "start", {"weights": "runs/a=b/best"}),
    ],
)
def test_changes_reach_any_depth(change: str, section: str, value: dict[str, Any], tmp_path: Path) -> None:
    place: Any = read_config(written(tmp_path, "seed: 3"), [change])
    assert place.seed == 3
    for name in section.split(".") if section else ():
        place = getattr(place, name)
    found = place if isinstance(place, dict) else vars(place)
    assert value.items() <= found.items()


def test_a_later_change_wins_over_an_earlier_one_and_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "optimizer: {rate: 1, ema: 0.9}")
    changed = read_config(path, ["optimizer.rate=2", "optimizer.rate=3"]).optimizer
    assert (changed.rate, changed.ema) == (3.0, 0.9)
    assert read_config(path).optimizer.rate == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epochs", "--set takes key=value, as optimizer.rate=0.01, not 'epochs'"),
        ("epochs=[", "--set epochs=[: the value is not YAML"),
        ("epochs.x=3", "cannot set epochs.x: 'epochs' is not a section"),
        ("optimizer.rate.x=3", "{file} with --set: optimizer.rate: input should be a valid number, not {'x': 3}"),
        ("optimizer=3", "{file} with --set: optimizer must hold settings of its own, not 3"),
        ("=3", "{file} with --set: unknown setting ''; " + TOP + "see docs/settings.md"),
        (
            "optimizer.=3",
            "{file} with --set: unknown setting 'optimizer.'; known: optimizer.name, optimizer.rate, "
            "optimizer.momentum, optimizer.weight_decay, optimizer.clip_norm, optimizer.ema, "
            "optimizer.precise_norms; see docs/settings.md",
        ),
        ("epochs=", "{file} with --set: epochs: input should be a valid integer, not None"),
    ],
)
def test_changes_that_cannot_be_made_are_one_line(change: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, "epochs: 5\noptimizer: {ema: 0.9}\n")
    with pytest.raises(OptionError) as error:
        read_config(path, [change])
    expected = message.replace("{file}", str(path))
    # Which setting is the nearest to none at all does not matter.
    assert re.sub(r"did you mean '[a-z.]+'\? ", "", str(error.value)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", "unknown setting 'epoch'; did you mean 'epochs'? see docs/settings.md"),
        ("rate: 3", "unknown setting 'rate'; did you mean 'optimizer.rate'? see docs/settings.md"),
        (
            "optimizer: {weigth_decay: 0}",
            "unknown setting 'optimizer.weigth_decay'; did you mean 'optimizer.weight_decay'? "
            "see docs/settings.md",
        ),
        ("data: {size: 96}", "unknown setting 'data.size'; did you mean 'model.size'? see docs/settings.md"),
        (
            "model: {geometry: {margins: 2}}",
            "unknown setting 'model.geometry.margins'; did you mean 'model.geometry.margin'? see docs/settings.md",
        ),
        ("qqqq: 3", "unknown setting 'qqqq'; " + TOP + "see docs/settings.md"),
        ("1: 2", "unknown setting '1'; " + TOP + "see docs/settings.md"),
        (
            "schedule: {gamma_: 1}",
            "unknown setting 'schedule.gamma_'; known: schedule.name, schedule.warmup, "
            "schedule.every, schedule.factor, schedule.patience; see docs/settings.md",
        ),
        ("data: {longest_s: .inf}", "data.longest_s must be a finite number, not inf"),
        ("start: {stage_rates: [1, .nan]}", "start.stage_rates must be a finite number, not nan"),
        ("optimizer: {clip_norm: inf}", "optimizer.clip_norm must be a finite number, not inf"),
        ("optimizer: {clip_norm: 1e400}", "optimizer.clip_norm must be a finite number, not inf"),
        ("start: {stage_rates: [1, inf]}", "start.stage_rates must be a finite number, not inf"),
        ("epochs: true", "epochs must be a number, not true"),
        ("model: resnet18", "model must hold settings of its own, not 'resnet18'"),
        (
            "epochs: many",
            "epochs: input should be a valid integer, unable to parse string as an integer, not 'many'",
        ),
        (
            "epochs: 2.5",
            "epochs: input should be a valid integer, got a number with a fractional part, not 2.5",
        ),
        (
            "data: {balanced: 3}",
            "data.balanced: input should be a valid boolean, unable to interpret input, not 3",
        ),
        ("model: {labels: happy}", "model.labels: input should be a valid tuple, not 'happy'"),
        (
            "start: {stage_rates: [1, fast]}",
            "start.stage_rates: input should be a valid number, unable to parse string as a number, not 'fast'",
        ),
        (
            "optimizer: {name: sdg}",
            "optimizer.name: input should be 'sgd', 'adam', 'adamw', 'muon', 'rmsprop' or 'adagrad', not 'sdg'",
        ),
        (
            "model: {encoder: vgg19}",
            "unknown encoder 'vgg19'; known: compact, vgg, resnet18, resnet50, mobilenet_v2, fernet, "
            "resnet50_flat, ensemble",
        ),
        ("start: {stage_rates: []}", "start.stage_rates must be shares of the rate, not []"),
        ("epochs: 0", "epochs and batch_size must be at least 1, stop_after not negative"),
        ("augmentation: {blur: -1}", "disturbance blur must not be negative: -1.0"),
        ("- epochs", "holds no settings, but a list"),
        ("epochs", "holds no settings, but a str"),
        (
            "epochs: [",
            "is not YAML (while parsing a flow node expected the node content, but found '<stream end>' "
            'in "<unicode string>", line 1, column 10: epochs: [ ^)',
        ),
        (b"\xff\xfe", "is not YAML ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(text: str | bytes, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(OptionError) as error:
        read_config(path)
    assert str(error.value) == f"{path}: {message}"


@pytest.mark.parametrize("text", ["optimizer.rate: 3", "model.geometry.margin: 2", "model: {geometry.margin: 2}"])
def test_a_dotted_name_in_a_file_does_not_get_lost(text: str, tmp_path: Path) -> None:
    # --set takes such names, so that somebody will write them into a file.
    with pytest.raises(OptionError, match=r"'(optimizer\.rate|model\.geometry\.margin)'"):
        read_config(written(tmp_path, text))


@pytest.mark.parametrize("text", ["model: {geometry: {margin: 9}}", "model: {size: 3}"])
def test_every_refusal_names_the_file(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SeqferError) as error:
        read_config(path)
    assert str(error.value).startswith(f"{path}: ")


def test_files_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(OptionError) as error:
        read_config("compakt")
    assert str(error.value) == f"unknown settings 'compakt'; known: {KNOWN}; or give a YAML file"
    for path, reason in ((tmp_path / "gone.yaml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(OptionError) as error:
            read_config(path)
        assert str(error.value) == f"{path}: cannot be read ({reason})"


def test_settings_from_plain_values_hold_tuples() -> None:
    parsed = parse_config({"model": {"encoder_settings": {"widths": [8, 16]}}}, "test")
    assert parsed.model == ModelConfig(encoder_settings={"widths": (8, 16)})
    assert yaml.safe_load(to_yaml(parsed))["model"]["encoder_settings"] == {"widths": [8, 16]}


@pytest.mark.parametrize("text", ["epochs: 2020-13-45", "[" * 3000], ids=["no date", "nested"])
def test_what_only_looks_like_yaml_is_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is not YAML") as error:
        read_config(written(tmp_path, text))
    assert "\n" not in str(error.value)
