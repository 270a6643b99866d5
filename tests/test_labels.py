from __future__ import annotations

import pytest

from seqfer.errors import OptionError
from seqfer.labels import CKPLUS7, EKMAN6, FER7, LabelSet, canonical


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("anger", "angry"), ("Happiness", "happy"), (" joy ", "happy"), ("fearful", "fear"), ("sad", "sad")],
)
def test_aliases(spelling: str, name: str) -> None:
    assert canonical(spelling) == name
    assert FER7.names[FER7.index(spelling)] == name


def test_known_sets_have_their_usual_order() -> None:
    assert FER7.names == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert EKMAN6.names == FER7.names[:6]
    assert "contempt" in tuple(CKPLUS7)
    assert len(CKPLUS7) == 7


def test_unknown_label_names_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"unknown label 'bored'; known: angry, .*neutral"):
        FER7.index("bored")


@pytest.mark.parametrize("names", [(), ("happy",), ("happy", "happy"), ("happy", "anger"), ("Happy", "sad")])
def test_ill_formed_sets_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(OptionError):
        LabelSet(names)
