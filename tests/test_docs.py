"""What the documentation says of the commands is true."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from seqfer.cli.main import app
from seqfer.models.bundled import bundled_models

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "docs/training.md", "docs/evaluation.md", "docs/papers.md", "data/manifests/README.md"]
CARDS = [f"docs/models/{name}.md" for name in bundled_models()]


def commands() -> list[str]:
    """Every line of a shell block that calls seqfer."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL):
            found += [line for line in block.splitlines() if line.startswith("seqfer ")]
    assert len(found) > 20
    return sorted({line for line in found if not line.endswith("--help")})


@pytest.mark.parametrize("line", commands())
def test_every_command_in_the_pages_is_one_that_seqfer_takes(line: str) -> None:
    parse(shlex.split(line, comments=True)[1:])


def parse(arguments: list[str]) -> None:
    """Raise for what a command does not take."""
    command: Any = get_command(app)
    while arguments and arguments[0] in getattr(command, "commands", {}):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context(command.name, list(arguments))


def test_the_table_of_settings_is_that_of_the_code() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "write_settings.py"))["page"]()
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == page, "run scripts/write_settings.py"


@pytest.mark.parametrize("card", CARDS)
def test_a_card_shows_the_figures_that_lie_with_its_model(card: str) -> None:
    text = (ROOT / card).read_text(encoding="utf-8")
    page = runpy.run_path(str(ROOT / "scripts" / "write_cards.py"))["page"]
    assert page(Path(card).stem, text) == text, "run scripts/write_cards.py"


@pytest.mark.parametrize("page", [*PAGES, "docs/settings.md", *CARDS])
def test_links_within_the_project_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), target
