"""Data sets whose file names say what is shown: LIRIS-CSE, RAVDESS, CREMA-D, JAFFE."""

from __future__ import annotations

from pathlib import Path

from seqfer.datasets.layouts.found import Found, LayoutOptions, read_named_files
from seqfer.labels import EKMAN6, FER7
from seqfer.video.opening import VIDEO_SUFFIXES
from seqfer.video.stills import IMAGE_SUFFIXES

RAVDESS_CODES = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
CREMA_D_CODES = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
JAFFE_CODES = {name[:2].upper(): name for name in FER7}


def read_liris_cse(root: Path, options: LayoutOptions) -> Found:
    """LIRIS-CSE (Khan et al., 2019): `S<subject>_<expression>_<n>.mp4`.

    Some names depart from that (`S8_confusing.mp4`, two expressions in one name); what they show is not guessed.
    """
    spellings = {name.upper(): name for name in EKMAN6}
    spellings |= {"ANGER": "angry", "HAPPINESS": "happy", "SADNESS": "sad"}
    return read_named_files(
        root,
        VIDEO_SUFFIXES,
        r"[Ss](?P<subject>\d+)_(?P<label>[A-Za-z]+)_\d+",
        spellings,
        "S<subject>_<expression>_<number>",
    )


def read_ravdess(root: Path, options: LayoutOptions) -> Found:
    """RAVDESS (Livingstone & Russo, 2018): `02-01-06-01-02-01-12.mp4`, seven fields of two digits.

    A recording is there twice, with sound (first field 01) and without (02); one of them is kept.
    """
    codes = {f"{number:02d}": name for number, name in enumerate(RAVDESS_CODES, start=1)}
    found = read_named_files(
        root,
        VIDEO_SUFFIXES,
        r"0[12]-\d\d-(?P<label>\d\d)-\d\d-\d\d-\d\d-(?P<subject>\d\d)",
        codes,
        "with RAVDESS's seven fields, as 01-01-03-02-01-01-12",
    )
    kept, seen = [], set()
    for record in found.records:
        recording = record.clip_id[3:]
        if recording in seen:
            found.leave_out(record.path, "is the recording of 01-… without its sound")
        else:
            seen.add(recording)
            kept.append(record)
    return Found(kept, found.left_out)


def read_crema_d(root: Path, options: LayoutOptions) -> Found:
    """CREMA-D (Cao et al., 2014): `1001_DFA_ANG_XX.flv`, actor, sentence, expression, intensity."""
    return read_named_files(
        root,
        VIDEO_SUFFIXES,
        r"(?P<subject>\d{4})_[A-Z]{3}_(?P<label>[A-Z]{3})_[A-Z]{2}",
        CREMA_D_CODES,
        "<actor>_<sentence>_<expression>_<intensity>, as 1001_DFA_ANG_XX",
    )


def read_jaffe(root: Path, options: LayoutOptions) -> Found:
    """JAFFE (Lyons et al., 1998): `KA.AN1.39.tiff`, subject, expression and number, running number."""
    return read_named_files(
        root,
        IMAGE_SUFFIXES,
        r"(?P<subject>[A-Z]{2})\.(?P<label>[A-Z]{2})\d\.\d+",
        JAFFE_CODES,
        "<subject>.<expression><number>.<number>, as KA.AN1.39",
    )
