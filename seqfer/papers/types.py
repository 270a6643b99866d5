"""What a paper is to seqfer: protocols, each a recipe of seqfer's own commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from seqfer.errors import OptionError


@dataclass(frozen=True)
class Step:
    """One command of a recipe.

    Attributes:
        arguments: of `seqfer`.
        makes: what there is when the command is done.
        repeat: run it again if that is there already, as commands that go on by themselves want it.
        partial: that is as good as can be also where the command fails, if it has written it: it left out what
            cannot be read.
    """

    arguments: tuple[str, ...]
    makes: Path
    repeat: bool = False
    partial: bool = False


# From the data's folder, the folder for results, and settings to change, as --set takes them.
Recipe: TypeAlias = Callable[[Path, Path, tuple[str, ...]], list[Step]]


@dataclass(frozen=True)
class Protocol:
    """How a paper's systems are taught, chosen and measured.

    Attributes:
        name: of the protocol in its paper.
        what: it does, in one line.
        steps: its recipe.
        systems: what is measured, each with the folder of its evaluation below the results.
        leaky: why its figures cannot be trusted, where its manifest does not say so itself.
    """

    name: str
    what: str
    steps: Recipe
    systems: dict[str, str]
    leaky: str = ""


@dataclass(frozen=True)
class Paper:
    """A paper.

    Attributes:
        name: p1 … p5.
        title: in short.
        data: the kind of the data set, as `seqfer manifest` calls it.
        reports: its main figures.
        protocols: the paper's own first.
    """

    name: str
    title: str
    data: str
    reports: str
    protocols: tuple[Protocol, ...]

    def protocol(self, name: str) -> Protocol:
        """A protocol by its name.

        Raises:
            OptionError: there is none of that name.
        """
        for protocol in self.protocols:
            if protocol.name == name:
                return protocol
        known = ", ".join(protocol.name for protocol in self.protocols)
        raise OptionError(f"{self.name} has no protocol {name!r}; known: {known}")
