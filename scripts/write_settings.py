#!/usr/bin/env python
"""Write docs/settings.md, the tables of all settings, from the docstrings that describe them."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

from seqfer.classic.config import ClassicConfig
from seqfer.training.config import TrainConfig

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
HEAD = """# Settings of a training run

`seqfer train` reads them from a YAML file and from `--set NAME=VALUE`; what is not named keeps its default. This
page is written by `scripts/write_settings.py` from the code's own descriptions.

"""
FOREST = """
# Settings of a forest

`seqfer classic fit` reads these, in the same way.

"""
COLUMNS = """| name | default | meaning |
| --- | --- | --- |
"""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page's text."""
    return HEAD + table(TrainConfig()) + FOREST + table(ClassicConfig())


def table(settings: Any) -> str:
    """A row for each setting."""
    return COLUMNS + "".join(f"| {name} | {default} | {meaning} |\n" for name, default, meaning in rows(settings))


def rows(settings: Any, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Name, default and meaning of every setting; a section's own row, with no default, goes before them."""
    meanings = described(type(settings))
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if is_dataclass(value) and prefix == "":
            yield f"**{entry.name}**", "", summary(type(value))
            yield from rows(value, f"{entry.name}.")
        else:
            plain = json.dumps(asdict(value) if is_dataclass(value) else value)  # type: ignore[arg-type]
            default = plain.strip('"')
            yield f"`{prefix}{entry.name}`", f"`{default}`", meanings[entry.name]


def summary(kind: type) -> str:
    """What a class's docstring says ahead of its attributes."""
    return " ".join((inspect.getdoc(kind) or "").split("Attributes:\n")[0].split())


def described(kind: type) -> dict[str, str]:
    """The attributes that a class's docstring describes."""
    text = (inspect.getdoc(kind) or "").split("Attributes:\n")[1].split("\n\n")[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", text, re.MULTILINE)
    return {name: " ".join(meaning.split()) for name, meaning in entries}


if __name__ == "__main__":
    main()
