"""A sweep's plan: settings and a grid of values in, a training run's settings for each cell out."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from seqfer.errors import OptionError
from seqfer.settings import SWEEP, read_change, read_document, set_value, shipped_files, value_of
from seqfer.training.config import TrainConfig
from seqfer.training.config_file import EXAMPLE, is_section, known_configs, parse_config

PARTS = ("config", "set", "grid")  # of a sweep's file
LONGEST_NAME = 120  # characters of a cell's folder

Change = tuple[str, Any]  # a setting's dotted name and its value


@dataclass(frozen=True)
class Cell:
    """One training run of a sweep.

    Attributes:
        name: of its folder, as "epochs=50,batch_size=32".
        config: its settings.
        labels: its value of each of the sweep's keys, as text.
    """

    name: str
    config: TrainConfig
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Sweep:
    """A grid of training runs.

    Attributes:
        name: of the settings or the sweep's file.
        keys: the settings, or sections, that the grid varies.
        columns: all settings that differ by the grid, by their dotted names.
        cells: in order; the last key varies fastest.
    """

    name: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]

    def values(self, key: int) -> list[str]:
        """The values of a key, as text, each once."""
        return list(dict.fromkeys(cell.labels[key] for cell in self.cells))


def known_sweeps() -> dict[str, Path]:
    """The sweeps that come with seqfer, by name."""
    return {name: path for name, path in shipped_files().items() if name.endswith(SWEEP)}


def read_sweep(source: str, changes: Sequence[str] = (), grid: Sequence[str] = ()) -> Sweep:
    """The cells of a grid over settings.

    Args:
        source: a file of settings, or of a sweep, which names settings (`config`), changes to them (`set`) and
            values for some of them (`grid`); or the name of one that comes with seqfer.
        changes: `key=value` each, for all cells; they win over the file's.
        grid: `key=value,value` each, in YAML; they win over the file's values for the same key. The values of a
            section, as `optimizer`, are mappings that change some of its settings together.

    Raises:
        OptionError: a file cannot be read; there is no grid, or it has no values, sets a setting twice or holds
            the same cell twice; or a cell's settings are refused, as `--set` would.
    """
    path, document = read_document(source, {**known_configs(), **known_sweeps()})
    fixed: list[Change] = []
    axes: dict[str, list[Any]] = {}
    if "grid" in document or "config" in document:
        fixed, axes = _parts(document, path)
        ours = known_configs()
        config = str(document.get("config"))
        path, document = read_document(config if config in ours else path.parent / config, ours)
    fixed += [read_change(change, EXAMPLE) for change in changes]
    given = [_read_axis(text) for text in grid]
    for key, values in given:
        if [other for other, _ in given].count(key) > 1:
            raise OptionError(f"--grid gives {key} twice; give all of its values at once")
        axes[key] = values
    if not axes:
        raise OptionError("there is nothing to vary; give --grid key=value,value, as optimizer.rate=0.1,0.01")
    steps = {key: [_changes(key, value) for value in values] for key, values in axes.items()}
    columns = _columns(steps, [key for key, _ in fixed])
    cells = []
    for chosen in product(*steps.values()):
        own = [change for step in chosen for change in step]
        cells.append(_cell(_config(document, str(path), fixed, own), tuple(steps), chosen))
    _refuse_doubles(cells)
    name = Path(source).name.removesuffix(".yaml").removesuffix(SWEEP)
    return Sweep(name, tuple(steps), columns, tuple(cells))


def _parts(document: dict[str, Any], path: Path) -> tuple[list[Change], dict[str, list[Any]]]:
    """The changes and the grid in a sweep's file."""
    unknown = [str(name) for name in document if name not in PARTS]
    if unknown:
        raise OptionError(f"{path}: a sweep has no {unknown[0]!r}, but {', '.join(PARTS)}")
    changes, grid = document.get("set") or {}, document.get("grid") or {}
    if not isinstance(document.get("config"), str):
        raise OptionError(f"{path}: config must name the settings that the sweep varies")
    for part, found in (("set", changes), ("grid", grid)):
        if not isinstance(found, dict):
            raise OptionError(f"{path}: {part} must hold settings by their names, not {found!r}")
    for key, values in grid.items():
        if not isinstance(values, list):
            raise OptionError(f"{path}: grid: {key} must have a list of values, not {values!r}")
    return [(str(key), value) for key, value in changes.items()], {str(key): grid[key] for key in grid}


def _read_axis(text: str) -> tuple[str, list[Any]]:
    """A key and its values, from `key=value,value`."""
    key, equals, values = text.partition("=")
    if not equals:
        raise OptionError(f"--grid takes key=value,value, as optimizer.rate=0.1,0.01, not {text!r}")
    try:
        return key.strip(), yaml.safe_load(f"[{values}]")
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise OptionError(f"--grid {text}: the values are not YAML, parted by commas") from error


def _changes(key: str, value: Any) -> list[Change]:
    """What a value of a grid's key sets."""
    if is_section(key) and isinstance(value, dict):
        return [(f"{key}.{name}", inner) for name, inner in value.items()]
    return [(key, value)]


def _columns(steps: Mapping[str, list[list[Change]]], fixed: list[str]) -> tuple[str, ...]:
    """The settings that a grid varies; raises OptionError if one is set twice, or has nothing to be set to."""
    by_key: dict[str, list[str]] = {}
    for key, values in steps.items():
        if not values or not all(values):
            raise OptionError(f"the grid gives {key} no value; as in --grid optimizer.rate=0.1,0.01")
        by_key[key] = list(dict.fromkeys(name for changes in values for name, _ in changes))
        for name in by_key[key]:
            for other in fixed:
                if _overlap(name, other):
                    raise OptionError(f"{other} is set, and {key} in the grid varies it; leave out one of them")
            for other, names in by_key.items():
                if other != key and any(_overlap(name, theirs) for theirs in names):
                    raise OptionError(f"{other} and {key} in the grid set the same; leave out one of them")
    return tuple(name for names in by_key.values() for name in names)


def _overlap(one: str, other: str) -> bool:
    """Whether two dotted names stand for the same setting, or one for a part of the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _config(document: dict[str, Any], source: str, fixed: list[Change], own: list[Change]) -> TrainConfig:
    """A cell's settings; what is wrong with them is said with the cell."""
    changed = copy.deepcopy(document)
    try:
        for key, value in (*fixed, *own):
            set_value(changed, key, copy.deepcopy(value))
        return parse_config(changed, source)
    except OptionError as error:
        cell = ", ".join(f"{key}={as_text(value)}" for key, value in own)
        raise OptionError(f"grid cell {cell}: {error}") from error


def _cell(config: TrainConfig, keys: tuple[str, ...], chosen: Sequence[Sequence[Change]]) -> Cell:
    # The values as they were understood: 1e-4 and 0.0001 are one cell.
    parts = [[(name, as_text(value_of(config, name))) for name, _ in changes] for changes in chosen]
    name = _folder_name([named for part in parts for named in part])
    return Cell(name, config, tuple(_label(key, part) for key, part in zip(keys, parts, strict=True)))


def _label(key: str, part: Sequence[tuple[str, str]]) -> str:
    """What a cell's value of a key is called: "sgd, rate 0.1" where the key is a section."""
    if [name for name, _ in part] == [key]:
        return part[0][1]
    inner = [(name.removeprefix(f"{key}."), text) for name, text in part]
    return ", ".join(text if name == "name" else f"{name} {text}" for name, text in inner)


def as_text(value: Any) -> str:
    """A setting's value as tables and names show it, in YAML."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {as_text(inner)}' for name, inner in value.items())}}}"
    return json.dumps(value, default=str)


def _folder_name(parts: Sequence[tuple[str, str]]) -> str:
    """A name that every file system takes; where it says less than the settings, a digest tells it from others."""
    text, safe = (",".join(f"{write(key)}={write(value)}" for key, value in parts) for write in (str, _safe))
    if safe == text and len(text) <= LONGEST_NAME:
        return text
    return f"{safe[:LONGEST_NAME]}~{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _safe(text: str) -> str:
    plain = re.sub(r"[^\w.+-]+", "-", text, flags=re.ASCII)
    return text if plain == text else plain.strip("-")


def _refuse_doubles(cells: Sequence[Cell]) -> None:
    for position, cell in enumerate(cells):
        for other in cells[:position]:
            # Equal names too: the text '8' and the number are not one setting, but would be one folder.
            if cell.config == other.config or cell.name == other.name:
                raise OptionError(f"the grid holds the same cell twice: {other.name} and {cell.name}")
