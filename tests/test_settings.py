"""Settings of any kind as YAML; tests/training/test_config_file.py has all that can be wrong with a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from seqfer.errors import OptionError
from seqfer.settings import flat, parse_settings, read_settings, to_yaml


@dataclass(frozen=True)
class Oven:
    """
    Attributes:
        degrees: above 0.
    """

    degrees: float = 180.0

    def __post_init__(self) -> None:
        if self.degrees <= 0:
            raise OptionError(f"oven.degrees must be positive, not {self.degrees}")


@dataclass(frozen=True)
class Recipe:
    oven: Oven = field(default_factory=Oven)
    steps: tuple[str, ...] = ("mix",)


def read(folder: Path, text: str, *changes: str) -> Recipe:
    path = folder / "cake.yaml"
    path.write_text(text)
    return read_settings(Recipe, path, changes, {}, example="oven.degrees=200", described_in="the cookbook")


def test_settings_of_any_kind_are_read_changed_and_written(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Recipe()
    found = read(tmp_path, "steps: [mix, bake]", "oven.degrees=200")
    assert found == Recipe(Oven(200.0), ("mix", "bake"))
    assert read(tmp_path, to_yaml(found)) == found
    assert parse_settings(Recipe, {"oven": {"degrees": 200}, "steps": ["mix", "bake"]}, "test", "") == found


@pytest.mark.parametrize(
    ("text", "change", "message"),
    [
        ("", "oven.degrees", "--set takes key=value, as oven.degrees=200, not 'oven.degrees'"),
        (
            "degrees: 3",
            "steps=[]",
            "{file} with --set: unknown setting 'degrees'; did you mean 'oven.degrees'? see the cookbook",
        ),
        ("", "oven.degrees=-1", "{file} with --set: oven.degrees must be positive, not -1.0"),
    ],
    ids=["no value", "unknown", "out of range"],
)
def test_an_error_speaks_of_the_kind_that_was_asked_for(
    text: str, change: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError) as error:
        read(tmp_path, text, change)
    assert str(error.value) == message.replace("{file}", str(tmp_path / "cake.yaml"))


def test_a_section_with_nothing_below_its_name_is_left_at_its_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "oven:\n") == Recipe()
    assert read(tmp_path, "oven:\n", "oven.degrees=200") == Recipe(Oven(200.0))


def test_flat_settings_have_the_names_that_set_takes() -> None:
    assert flat(asdict(Recipe(Oven(200.0), ("mix",)))) == {"oven.degrees": 200.0, "steps": ("mix",)}
