"""Expression labels: ordered sets of names, and the spellings under which data sets know them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from seqfer.errors import OptionError

# Data sets name the same expression by noun or adjective; the adjective is ours.
ALIASES = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "contemptuous": "contempt",
    "neutrality": "neutral",
}


@dataclass(frozen=True)
class LabelSet:
    """An ordered set of expression names; a class index is a position in it.

    Attributes:
        names: distinct lower-case names, at least two, in their usual spelling.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - checkpoints with other keys are refused

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.names) < 2:
            raise OptionError(
                f"two labels or more can be told apart, but here is only {', '.join(self.names) or 'none'}"
            )
        if len(set(self.names)) != len(self.names):
            raise OptionError(f"a label set names each label once: {list(self.names)}")
        for name in self.names:
            if name != canonical(name):
                raise OptionError(f"label {name!r} must be spelt {canonical(name)!r}")

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def index(self, label: str) -> int:
        """Class index of a label, in any of its known spellings.

        Raises:
            OptionError: the label is not in this set.
        """
        name = canonical(label)
        if name not in self.names:
            raise OptionError(f"unknown label {label!r}; known: {', '.join(self.names)}")
        return self.names.index(name)


def canonical(label: str) -> str:
    """The house spelling of a label: lower case, aliases resolved."""
    name = label.strip().lower()
    return ALIASES.get(name, name)


FER7 = LabelSet(("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"))
EKMAN6 = LabelSet(("angry", "disgust", "fear", "happy", "sad", "surprise"))
CKPLUS7 = LabelSet(("angry", "contempt", "disgust", "fear", "happy", "sad", "surprise"))
