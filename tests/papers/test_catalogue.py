"""Every recipe is made of commands that there are, and leaves what its rows are read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from seqfer.classic.config_file import known_forests
from seqfer.cli.main import app
from seqfer.datasets.layouts.registry import LAYOUTS
from seqfer.errors import OptionError
from seqfer.papers.catalogue import PAPERS, paper_of
from seqfer.papers.types import Protocol, Step
from seqfer.training.config_file import known_configs

DATA, OUT = Path("DATA"), Path("OUT")
PROTOCOLS = [(paper, protocol) for paper in PAPERS.values() for protocol in paper.protocols]
NAMES = [f"{paper.name}-{protocol.name}" for paper, protocol in PROTOCOLS]


def steps_of(protocol: Protocol, *changes: str) -> list[Step]:
    return protocol.steps(DATA, OUT, changes)


def taken(arguments: tuple[str, ...]) -> dict[str, Any]:
    """A command's parameters as the command line reads them; raises for what it does not take."""
    command: Any = get_command(app)
    left = list(arguments)
    while left and left[0] in getattr(command, "commands", {}):
        command = command.commands[left.pop(0)]
    parameters: dict[str, Any] = command.make_context(command.name, left).params
    return parameters


@pytest.mark.parametrize(("paper", "protocol"), PROTOCOLS, ids=NAMES)
def test_commands_are_ones_that_seqfer_takes(paper: Any, protocol: Protocol) -> None:
    assert paper.data in LAYOUTS
    for step in steps_of(protocol, "epochs=1"):
        parameters = taken(step.arguments)
        if step.arguments[:2] == ("classic", "fit"):
            assert parameters["config"] in known_forests()
            assert "epochs=1" in parameters["set_"]
        if step.arguments[0] in ("train", "crossval"):
            assert parameters["config"] in known_configs()
            assert parameters["set_"][0].split("=")[0] in ("epochs", "data.with_validation")
            assert "epochs=1" in parameters["set_"]


@pytest.mark.parametrize(("paper", "protocol"), PROTOCOLS, ids=NAMES)
def test_what_a_step_reads_an_earlier_one_has_made(paper: Any, protocol: Protocol) -> None:
    made: list[str] = []
    for step in steps_of(protocol):
        for argument in step.arguments:
            # What is named after -o or --write is made by the step itself.
            own = str(step.makes)
            if argument.startswith("OUT/") and not (own.startswith(argument) or argument.startswith(own)):
                assert any(argument.startswith(earlier) or earlier.startswith(argument) for earlier in made), (
                    argument
                )
        made.append(str(step.makes))
    for folder in protocol.systems.values():
        assert str(OUT / folder / "metrics.json") in made


@pytest.mark.parametrize(("paper", "protocol"), PROTOCOLS, ids=NAMES)
def test_a_test_split_is_measured_by_no_step_but_the_last_of_each_system(paper: Any, protocol: Protocol) -> None:
    """Nothing that a training or a choice reads comes from an evaluation."""
    evaluated: set[str] = set()
    for step in steps_of(protocol):
        if step.arguments[0] in ("train", "crossval", "sweep", "ensemble"):
            assert not any(place in argument for argument in step.arguments for place in evaluated)
        if "evaluate" in step.arguments[:2]:
            evaluated.add(str(step.makes.parent))


def test_honest_protocols_never_split_images_nor_keep_repeats() -> None:
    for paper in PAPERS.values():
        steps = steps_of(paper.protocol("honest"))
        text = " ".join(argument for step in steps for argument in step.arguments)
        assert "image:" not in text
        assert "clip:" not in text
        assert ("kfold" in text) is (paper.data != "fer2013")
        assert ("clean.csv" in text) is (paper.data == "fer2013")


def test_of_two_values_for_a_setting_the_users_wins_but_scratch_stays_scratch() -> None:
    own, users = "data.with_validation=false", "data.with_validation=true"
    honest = next(step for step in steps_of(PAPERS["p2"].protocol("honest"), users) if step.repeat)
    assert honest.arguments.index(own) < honest.arguments.index(users)
    paper = [
        s for s in steps_of(PAPERS["p1"].protocol("paper"), "start.weights=mine") if s.arguments[0] == "train"
    ]
    assert [step.arguments[-1] for step in paper] == ["start.weights=mine", "start.weights=scratch"]


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(OptionError, match="unknown paper 'p0'; known: p1, p2, p3, p4, p5"):
        paper_of("p0")
    with pytest.raises(OptionError, match="p5 has no protocol 'x'; known: paper, clip, honest, grids"):
        paper_of("p5").protocol("x")


@pytest.mark.parametrize("name", ["paper", "honest"])
def test_hero_has_three_members_and_is_compared_with_the_other_system(name: str) -> None:
    steps = steps_of(PAPERS["p3"].protocol(name))
    trained = [step.arguments[1] for step in steps if step.arguments[0] == "train"]
    assert trained == [f"papers/p3-{net}" for net in ("cnn-bilstm", "hero-shallow", "hero-middle", "hero-deep")]
    (compared,) = (step.arguments for step in steps if step.arguments[0] == "compare")
    assert compared[1:3] == (str(OUT / "hero-evaluation"), str(OUT / "cnn-bilstm-evaluation"))
