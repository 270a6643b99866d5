from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqfer.datasets.manifest import read_manifest, write_manifest
from seqfer.datasets.types import ClipRecord, Manifest
from seqfer.errors import DatasetError

HEAD = "clip_id,path,start_s,end_s,frames,label,subject_id,split,fold\n"


def manifest(folder: Path) -> Manifest:
    return Manifest(
        (
            ClipRecord("a", folder / "videos/a.mp4", "happy", 1.5, 2.25, subject_id="S1", split="train"),
            ClipRecord("b", folder / "b", "sad", frames=("1.png", "2.png"), subject_id="S2", split="test"),
            ClipRecord("c, d", folder.parent / "c.jpg", "fear", fold=0),
        )
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    written = manifest(tmp_path)
    write_manifest(written, tmp_path / "m.csv")
    assert read_manifest(tmp_path / "m.csv") == written
    text = (tmp_path / "m.csv").read_text()
    assert text.startswith(HEAD + "a,videos/a.mp4,1.5,2.25,,happy,S1,train,\n")
    assert '"c, d",../c.jpg' in text


def test_paths_move_with_the_manifest(tmp_path: Path) -> None:
    write_manifest(manifest(tmp_path / "one"), tmp_path / "one/m.csv")
    (tmp_path / "one").rename(tmp_path / "two")
    assert read_manifest(tmp_path / "two/m.csv").records[0].path == tmp_path / "two/videos/a.mp4"


def test_the_mark_of_a_leak_stays(tmp_path: Path) -> None:
    records = tuple(
        ClipRecord(name, tmp_path / name, label, subject_id="S1", split=split)
        for name, label, split in (("a", "happy", "train"), ("b", "sad", "test"))
    )
    write_manifest(Manifest(records, leaky="image: as asked"), tmp_path / "m.csv")
    assert read_manifest(tmp_path / "m.csv").leaky == "image: as asked"
    # Without its mark the same file is refused.
    lines = (tmp_path / "m.csv").read_text().splitlines(keepends=True)
    (tmp_path / "m.csv").write_text("".join(lines[1:]))
    with pytest.raises(DatasetError, match="S1"):
        read_manifest(tmp_path / "m.csv")


def test_three_columns_are_enough_and_aliases_are_known(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("\ufeffpath,label,clip_id\na.mp4,Happiness,a\nb.mp4,anger,b\n", "utf-8")
    records = read_manifest(tmp_path / "m.csv").records
    assert [record.label for record in records] == ["happy", "angry"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks the column 'clip_id'"),
        (HEAD, "holds no clip"),
        ("clip_id;path;label\na;a.mp4;happy\n", "parts its columns by semicolons"),
        ("clip_id,path\na,b\n", "lacks the column 'label'"),
        ("clip_id,path,label,mood\na,b,happy,x\n", "unknown column 'mood'"),
        (HEAD + "a,a.mp4,,,,happy,,train\n", "line 2 has not as many fields"),
        (HEAD + "a,a.mp4,,,,happy,,train,,1\n", "line 2 has not as many fields"),
        (
            HEAD + "a,a.mp4,,,,happy,,train,\nb,b.mp4,x,,,sad,,train,\n",
            "line 3: start_s must be a number of seconds",
        ),
        (
            HEAD + 'a,a.mp4,,"0,5",,happy,,train,\n',
            "line 2: end_s must be a number of seconds, as 12.5, not '0,5'",
        ),
        (HEAD + "a,a.mp4,,,,happy,,,one\n", "line 2: fold must be a whole number, not 'one'"),
        (HEAD + "a,a.mp4,,,,happy,,dev,\n", "line 2: clip 'a': unknown split 'dev'"),
        ("# leaky: yes\n" + HEAD + "a,a.mp4,,,,happy,,dev,\n", "line 3: clip 'a': unknown split 'dev'"),
        (HEAD + "a,a.mp4,,,,happy,,,\na,b.mp4,,,,sad,,,\n", "'a' stands for more than one clip"),
    ],
)
def test_a_malformed_file_is_one_line_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DatasetError, match=message) as error:
        read_manifest(tmp_path / "m.csv")
    assert "\n" not in str(error.value)
    assert str(tmp_path / "m.csv") in str(error.value)


def test_a_missing_or_binary_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_manifest(tmp_path / "m.csv")
    (tmp_path / "m.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DatasetError, match="is not a CSV file in UTF-8"):
        read_manifest(tmp_path / "m.csv")


def test_a_name_with_the_separator_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    records = (
        ClipRecord("a", tmp_path, "happy", frames=("1;2.png",)),
        ClipRecord("b", tmp_path, "sad"),
    )
    with pytest.raises(DatasetError, match="holds ';'"):
        write_manifest(Manifest(records), tmp_path / "m.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    records = (ClipRecord("caf\udce9", tmp_path / "caf\udce9.mp4", "happy"), ClipRecord("b", tmp_path, "sad"))
    with pytest.raises(DatasetError, match="a name is not UTF-8; rename it"):
        write_manifest(Manifest(records), tmp_path / "m.csv")
    assert list(tmp_path.iterdir()) == []


def test_the_data_are_not_replaced_by_their_manifest(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text("emotion,pixels,Usage\n")
    records = tuple(ClipRecord(name, path, name, frames=("0",)) for name in ("happy", "sad"))
    with pytest.raises(DatasetError, match="is the data itself"):
        write_manifest(Manifest(records), path)
    assert path.read_text() == "emotion,pixels,Usage\n"


def test_data_on_another_drive_are_named_from_its_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_drive(path: object, start: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    records = (ClipRecord("a", tmp_path / "a.mp4", "happy"), ClipRecord("b", tmp_path / "b.mp4", "sad"))
    with monkeypatch.context() as patched:
        patched.setattr(os.path, "relpath", other_drive)
        write_manifest(Manifest(records), tmp_path / "m.csv")
    assert read_manifest(tmp_path / "m.csv").records == records


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1)
MICROSECONDS = st.integers(0, 10**10)


@given(st.lists(st.tuples(NAMES, MICROSECONDS, MICROSECONDS), min_size=2, unique_by=lambda row: row[0]))
def test_any_name_and_any_microsecond_survives(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    records = tuple(
        ClipRecord(name, folder / "a.mp4", ("happy", "sad")[i % 2], start / 1e6, (start + length + 1) / 1e6)
        for i, (name, start, length) in enumerate(rows)
    )
    write_manifest(Manifest(records), folder / "m.csv")
    assert read_manifest(folder / "m.csv").records == records


@pytest.mark.parametrize(("name", "clips"), [("example-videos.csv", 6), ("example-sequences.csv", 3)])
def test_the_examples_are_manifests(name: str, clips: int) -> None:
    found = read_manifest(Path(__file__).parents[2] / "data" / "manifests" / name)
    assert len(found.records) == clips


def test_what_an_audit_reads_is_marked_as_leaky_only_if_somebody_asked_for_it(tmp_path: Path) -> None:
    """Else `audit --write` would make a manifest of it that nobody refuses."""
    (tmp_path / "m.csv").write_text(HEAD + "a,a.mp4,,,,happy,S1,train,\nb,b.mp4,,,,sad,S1,test,\n")
    write_manifest(read_manifest(tmp_path / "m.csv", refuse_leaks=False), tmp_path / "clean.csv")
    assert not (tmp_path / "clean.csv").read_text().startswith("#")
    with pytest.raises(DatasetError, match="subject 'S1' is in more than one part"):
        read_manifest(tmp_path / "clean.csv")
