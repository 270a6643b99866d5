"""Settings as YAML files: a file names only what differs from the defaults of a frozen dataclass.

An unknown key is refused with the nearest known one, a value of the wrong type with its key.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from seqfer.errors import OptionError, SeqferError, one_line

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

PACKAGE = Path(__file__).parent
# Inside the package where it was installed, beside it in a checkout.
CONFIG_FOLDERS = (PACKAGE / "configs", PACKAGE.parent / "configs")
# What the names of files end with that do not hold a training run's settings: sweeps', forests'.
SWEEP, FOREST = ".sweep", "-forest"


def shipped_files() -> dict[str, Path]:
    """The files of settings that come with seqfer, by name: our own first, then the papers'."""
    folder = next(folder for folder in CONFIG_FOLDERS if folder.is_dir())
    found = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.yaml")}
    return dict(sorted(found.items(), key=lambda item: ("/" in item[0], item[0])))


def read_document(path: str | Path, known: Mapping[str, Path]) -> tuple[Path, dict[str, Any]]:
    """What a YAML file holds, as plain values, and where the file lies.

    Args:
        path: of the file, or one of the names in `known`.
        known: files by name.

    Raises:
        OptionError: the file is missing, or holds no mapping in YAML.
    """
    if str(path) in known:
        path = known[str(path)]
    elif not Path(path).exists() and Path(path).suffix in ("", SWEEP):
        raise OptionError(f"unknown settings {str(path)!r}; known: {', '.join(known)}; or give a YAML file")
    path = Path(path)
    try:
        document = _load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise OptionError(f"{path}: is not YAML ({one_line(error)})") from error
    document = {} if document is None else document
    if not isinstance(document, dict):
        raise OptionError(f"{path}: holds no settings, but a {type(document).__name__}")
    return path, document


def read_settings(
    kind: type[T],
    path: str | Path,
    changes: Sequence[str],
    known: Mapping[str, Path],
    example: str,
    described_in: str,
) -> T:
    """Settings in a YAML file.

    Args:
        kind: the dataclass that they make, whose fields may be dataclasses too.
        path: of the file, or one of the names in `known`.
        changes: `key=value` each; the value is YAML too.
        known: files by name.
        example: of such a change, for an error.
        described_in: where a user reads of all settings, for an error.

    Raises:
        OptionError: the file is missing or no YAML, a key is unknown, or a value has the wrong type or range.
    """
    path, document = read_document(path, known)
    for change in changes:
        set_value(document, *read_change(change, example))
    return parse_settings(kind, document, f"{path} with --set" if changes else str(path), described_in)


def parse_settings(kind: type[T], document: dict[str, Any], source: str, described_in: str) -> T:
    """Settings from plain values, every key and type checked.

    Args:
        kind: the dataclass that they make, whose fields may be dataclasses too.
        document: values by name, those of a section by its name.
        source: where they come from, for an error.
        described_in: where a user reads of all settings, for an error.

    Raises:
        OptionError: a key is unknown, or a value has the wrong type or range.
    """
    known = dict(_keys(kind))
    document = {
        name: {} if value is None and is_dataclass(known.get(name)) else value for name, value in document.items()
    }
    for key, value, name in _entries(document, known):
        if "." in name and key in known:
            raise OptionError(f"{source}: {key!r} is a name for --set; in a file each section stands by itself")
        if key not in known:
            raise OptionError(f"{source}: unknown setting {key!r}; {_meant(key, known)}see {described_in}")
        if is_dataclass(known[key]) and not isinstance(value, dict):
            raise OptionError(f"{source}: {key} must hold settings of its own, not {value!r}")
        _check_finite(key, value, source)
        if isinstance(value, bool) and known[key] in (int, float):
            raise OptionError(f"{source}: {key} must be a number, not {str(value).lower()}")
    try:
        made = TypeAdapter(kind).validate_python(_tuples(document))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
        raise OptionError(f"{source}: {where}: {first['msg'].lower()}, not {first['input']!r}") from error
    except SeqferError as error:
        raise OptionError(f"{source}: {error}") from error
    for key, value in flat(asdict(made)).items():
        _check_finite(key, value, source)  # texts like "inf" are numbers only now
    return made


def _check_finite(key: str, value: Any, source: str) -> None:
    for number in value if isinstance(value, list | tuple) else [value]:
        if isinstance(number, float) and not math.isfinite(number):
            raise OptionError(f"{source}: {key} must be a finite number, not {number}")


def read_change(change: str, example: str) -> tuple[str, Any]:
    """A setting's dotted name and its value, from `key=value`.

    Args:
        change: what a user gave.
        example: of such a change, for the error.

    Raises:
        OptionError: it is not that, or the value is not YAML.
    """
    key, equals, text = change.partition("=")
    if not equals:
        raise OptionError(f"--set takes key=value, as {example}, not {change!r}")
    try:
        return key.strip(), _load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise OptionError(f"--set {change}: the value is not YAML") from error


def set_value(document: dict[str, Any], key: str, value: Any) -> None:
    """Put a value under a dotted name; sections that are not there yet are made.

    Raises:
        OptionError: a part of the name stands for a value.
    """
    *sections, name = key.split(".")
    for section in sections:
        if document.get(section) is None:  # also a section with nothing below its name
            document[section] = {}
        document = document[section]
        if not isinstance(document, dict):
            raise OptionError(f"cannot set {key}: {section!r} is not a section")
    document[name] = value


def value_of(settings: DataclassInstance, key: str) -> Any:
    """The value of a setting by its dotted name, as it was checked; None if free settings do not hold it."""
    value: Any = settings
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    return value


def sections_of(kind: type) -> set[str]:
    """The dotted names of a dataclass's settings that are settings of their own, as `optimizer`."""
    return {key for key, value in _keys(kind) if is_dataclass(value)}


def to_yaml(settings: DataclassInstance) -> str:
    """All settings, also those that were left at their defaults, as YAML that can be read again."""
    return yaml.safe_dump(_lists(asdict(settings)), sort_keys=False, allow_unicode=True)


class _Names(yaml.SafeLoader):
    """YAML 1.1 reads the key `on` as true; here keys are names."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:bool":
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


def _load(text: str) -> Any:
    return yaml.load(text, _Names)  # a SafeLoader


def _meant(key: str, known: Iterable[str]) -> str:
    """What a user may have meant by an unknown key: its name in another section, or the nearest one in its own."""
    section, _, last = key.rpartition(".")
    siblings = {name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == section}
    elsewhere = [name for name in known if name.rpartition(".")[2] == last]
    close = [siblings[name] for name in difflib.get_close_matches(last, siblings, n=1, cutoff=0.5)]
    for name in (*elsewhere, *close):
        return f"did you mean {name!r}? "
    return f"known: {', '.join(siblings.values())}; " if siblings else ""


def _keys(kind: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All settings of a dataclass with their types, those of its sections with dots."""
    hints = get_type_hints(kind)
    for entry in fields(kind):
        yield prefix + entry.name, hints[entry.name]
        if is_dataclass(hints[entry.name]):
            yield from _keys(hints[entry.name], f"{prefix}{entry.name}.")


def _entries(document: dict[str, Any], known: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    for name, value in document.items():
        key = f"{prefix}{name}"
        yield key, value, str(name)
        if isinstance(value, dict) and is_dataclass(known.get(key)):
            yield from _entries(value, known, f"{key}.")


def _tuples(value: Any) -> Any:
    """Lists as tuples, which is what the settings hold."""
    if isinstance(value, dict):
        return {key: _tuples(entry) for key, entry in value.items()}
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list) else value


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(entry) for key, entry in value.items()}
    return [_lists(entry) for entry in value] if isinstance(value, tuple) else value


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by their dotted names, as `--set` names them."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        key = f"{prefix}{name}"
        found.update(flat(value, f"{key}.") if isinstance(value, dict) else {key: value})
    return found
