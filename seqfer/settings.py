"""Settings as YAML files: a file names only what differs from the defaults of a frozen dataclass.

An unknown key is refused with the nearest known one, a value of the wrong type with its key.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from seqfer.errors import OptionError, SeqferError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def read_settings(kind: type[T], path: Path, changes: Sequence[str] = (), *, example: str, described_in: str) -> T:
    """The settings in a YAML file.

    Args:
        kind: the dataclass that they make, whose fields may be dataclasses too.
        path: of the file.
        changes: `key=value` each, a key with dots where it lies in a section; the value is YAML too.
        example: of such a change, for an error.
        described_in: where a user reads of all settings, for an error.

    Raises:
        OptionError: the file is missing or no YAML, a key is unknown, or a value has the wrong type or range.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise OptionError(f"{path}: is not YAML ({' '.join(str(error).split())})") from error
    document = {} if document is None else document
    if not isinstance(document, dict):
        raise OptionError(f"{path}: holds no settings, but a {type(document).__name__}")
    for change in changes:
        _set(document, change, example)
    return parse_settings(kind, document, str(path), described_in)


def parse_settings(kind: type[T], document: dict[str, Any], source: str, described_in: str) -> T:
    """Settings from plain values, every key and type checked; `source` names them in an error.

    Raises:
        OptionError: a key is unknown, or a value has the wrong type or range.
    """
    known = dict(_keys(kind))
    for key, value, name in _entries(document, known):
        if "." in name and key in known:
            raise OptionError(f"{source}: {key!r} is a name for --set; in a file each section stands by itself")
        if key not in known:
            raise OptionError(f"{source}: unknown setting {key!r}; {_meant(key, known)}see {described_in}")
        if is_dataclass(known[key]) and not isinstance(value, dict):
            raise OptionError(f"{source}: {key} must hold settings of its own, not {value!r}")
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, float) and not math.isfinite(number):
                raise OptionError(f"{source}: {key} must be a finite number, not {number}")
        if isinstance(value, bool) and known[key] in (int, float):
            raise OptionError(f"{source}: {key} must be a number, not {str(value).lower()}")
    try:
        return TypeAdapter(kind).validate_python(_tuples(document))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
        raise OptionError(f"{source}: {where}: {first['msg'].lower()}, not {first['input']!r}") from error
    except SeqferError as error:
        raise OptionError(f"{source}: {error}") from error


def to_yaml(settings: DataclassInstance) -> str:
    """All settings, also those that were left at their defaults, as YAML that `read_settings` reads."""
    return yaml.safe_dump(_lists(asdict(settings)), sort_keys=False, allow_unicode=True)


def _meant(key: str, known: Iterable[str]) -> str:
    """What a user may have meant by an unknown key: its name in another section, or the nearest one in its own."""
    section, _, last = key.rpartition(".")
    siblings = {name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == section}
    elsewhere = [name for name in known if name.rpartition(".")[2] == last]
    close = [siblings[name] for name in difflib.get_close_matches(last, siblings, n=1, cutoff=0.5)]
    for name in (*elsewhere, *close):
        return f"did you mean {name!r}? "
    return f"known: {', '.join(siblings.values())}; " if siblings else ""


def _set(document: dict[str, Any], change: str, example: str) -> None:
    key, equals, text = change.partition("=")
    if not equals:
        raise OptionError(f"--set takes key=value, as {example}, not {change!r}")
    try:
        value = yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise OptionError(f"--set {change}: the value is not YAML") from error
    *sections, name = key.strip().split(".")
    place = document
    for section in sections:
        inner = place.setdefault(section, {})
        if not isinstance(inner, dict):
            raise OptionError(f"--set {change}: {section!r} is not a section")
        place = inner
    place[name] = value


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
