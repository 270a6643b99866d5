"""Settings of a forest: the paper's are the defaults, and what is out of range is one line that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seqfer.classic.config import ClassicConfig
from seqfer.classic.config_file import known_forests, read_config
from seqfer.errors import OptionError, SeqferError
from seqfer.settings import parse_settings, to_yaml


def test_the_shipped_file_holds_the_papers_settings(tmp_path: Path) -> None:
    assert list(known_forests()) == ["papers/p4-mobilenet-forest"]
    config = read_config("papers/p4-mobilenet-forest")
    colony, features = config.selection, config.features
    assert (colony.ants, colony.alpha, colony.beta, colony.iterations) == (20, 1.1, 1.5, 3)
    assert (colony.q0, colony.decay, config.forest.trees) == (0.9, 0.2, 90)
    assert (features.encoder, features.size, features.channels, features.weights) == (
        "mobilenet_v2",
        48,
        3,
        "imagenet",
    )
    (tmp_path / "all.yaml").write_text(to_yaml(config))
    assert read_config(tmp_path / "all.yaml") == config


def test_changes_win_over_the_file() -> None:
    config = read_config("papers/p4-mobilenet-forest", ["smote.on=false", "forest.trees=7"])
    assert (config.smote.on, config.forest.trees) == (False, 7)
    assert config.selection.on


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("features", "encoder", "alexnet", "unknown encoder 'alexnet'; known: compact, vgg"),
        ("features", "size", 0, "size"),
        ("features", "channels", 2, "channels"),
        ("data", "faces", "dlib", "data.faces: input should be 'mediapipe', 'haar' or 'none', not 'dlib'"),
        ("data", "picture_rate", 0, "data.picture_rate must lie in (0, 10000), not 0.0"),
        ("smote", "neighbours", 0, "smote.neighbours must be at least 1, not 0"),
        ("selection", "ants", 0, "selection.ants must be at least 1, not 0"),
        ("selection", "iterations", 0, "selection.iterations must be at least 1, not 0"),
        ("selection", "trees", -1, "selection.trees must be at least 1, not -1"),
        ("selection", "alpha", -0.1, "selection.alpha must not be negative, not -0.1"),
        ("selection", "beta", -1, "selection.beta must not be negative, not -1.0"),
        ("selection", "q0", 1.1, "selection.q0 must lie in [0, 1]"),
        ("selection", "decay", 1, "selection.decay in (0, 1)"),
        ("selection", "rows", 9, "selection.rows must be at least 10, not 9"),
        ("forest", "trees", 0, "forest.trees must be at least 1, not 0"),
        ("", "seed", -1, "seed must lie in [0, 2^32), not -1"),
        ("forest", "tree", 5, "unknown setting 'forest.tree'; did you mean 'forest.trees'?"),
    ],
)
def test_what_is_out_of_range_is_refused(section: str, key: str, value: Any, message: str) -> None:
    document = {section: {key: value}} if section else {key: value}
    with pytest.raises(OptionError) as error:
        parse_settings(ClassicConfig, document, "test", "docs/settings.md")
    assert str(error.value).startswith("test: ")
    assert message in str(error.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SeqferError, match="unknown settings 'p4'; known: papers/p4-mobilenet-forest"):
        read_config("p4")
