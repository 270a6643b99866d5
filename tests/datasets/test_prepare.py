from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seqfer.datasets import prepare as module
from seqfer.datasets.crops import CropSettings
from seqfer.datasets.manifest import write_manifest
from seqfer.datasets.packed import PackedClips, read_packed
from seqfer.datasets.prepare import prepare
from seqfer.datasets.types import ClipRecord, Manifest
from seqfer.errors import DatasetError, OutputError
from seqfer.preprocess import Preprocess
from tests.media import read_number, write_clip

WHOLE = CropSettings(faces="none")
CACHE = {"frames.npy", "index.parquet", "cache.json", ".lock"}


def data_set(root: Path, stills: int = 6) -> Manifest:
    """Some stills, a video, and two clips that cannot be prepared."""
    root.mkdir()
    rng = np.random.default_rng(0)
    records = []
    for number in range(stills):
        path = root / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (48, 48), np.uint8)).save(path)
        records.append(ClipRecord(f"still {number}", path, ("happy", "sad")[number % 2], split="train", fold=None))
    (root / "broken.png").write_text("no picture")
    records.insert(2, ClipRecord("broken", root / "broken.png", "sad"))
    video = write_clip(root / "a.mp4", [k / 10 for k in range(8)])
    records.insert(4, ClipRecord("video", video, "happy", subject_id="S1", split="test", fold=3))
    records.append(ClipRecord("gone", root / "gone.mp4", "sad"))
    return Manifest(tuple(records))


def contents(packed: PackedClips) -> dict[str, tuple[object, ...]]:
    return {clip.clip_id: (clip.label, clip.times_s, packed.frames_of(clip).tobytes()) for clip in packed.clips}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return data_set(tmp_path_factory.mktemp("set") / "set")


@pytest.fixture(scope="module")
def prepared(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> PackedClips:
    return prepare(manifest, tmp_path_factory.mktemp("cache") / "cache", WHOLE, workers=2)


def test_every_clip_is_there_or_listed(prepared: PackedClips, manifest: Manifest) -> None:
    ids = [clip.clip_id for clip in prepared.clips]
    assert ids == [r.clip_id for r in manifest.records if r.clip_id not in ("broken", "gone")]
    assert set(prepared.left_out) == {"broken", "gone"}
    assert "not a readable picture" in prepared.left_out["broken"]
    assert prepared.frames.shape == (6 + 8, 48, 48, 1)
    assert prepared.preprocess == WHOLE.preprocess
    video = prepared.clips[3]
    assert (video.subject_id, video.split, video.fold, video.length) == ("S1", "test", 3, 8)
    assert video.times_s == pytest.approx([k / 10 for k in range(8)])
    still = prepared.clips[0]
    assert (still.subject_id, still.split, still.fold) == ("", "train", None)
    image = np.asarray(Image.open(manifest.records[0].path))
    assert (prepared.frames_of(still)[0, :, :, 0] == image).all()


def test_a_true_cache_is_taken_as_it_is(
    prepared: PackedClips, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(str(prepared.frames.filename)).parent  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "_prepare_pieces", None)
    assert contents(prepare(manifest, folder, WHOLE)) == contents(prepared)
    assert {path.name for path in folder.iterdir()} == CACHE


def test_changed_files_and_settings_are_prepared_anew(tmp_path: Path) -> None:
    manifest = data_set(tmp_path / "set", stills=2)
    first = prepare(manifest, tmp_path / "cache", WHOLE, workers=1)
    Image.new("L", (48, 48), 7).save(manifest.records[0].path)
    second = prepare(manifest, tmp_path / "cache", WHOLE, workers=1)
    assert second.source != first.source
    assert np.unique(second.frames_of(second.clips[0])).tolist() == [7]
    third = prepare(manifest, tmp_path / "cache", CropSettings(WHOLE.preprocess.__class__(32), "none"), workers=1)
    assert third.frames.shape[1:] == (32, 32, 1)


def test_a_picture_that_is_written_anew_in_a_clips_folder_is_prepared_anew(tmp_path: Path) -> None:
    records = []
    for name in ("happy", "sad"):
        folder = tmp_path / "set" / name
        folder.mkdir(parents=True)
        for number in range(3):
            Image.new("L", (48, 48), 50).save(folder / f"{number}.png")
        records.append(ClipRecord(name, folder, name))
    manifest = Manifest(tuple(records))
    prepare(manifest, tmp_path / "cache", WHOLE, workers=1)
    changed = tmp_path / "set" / "happy" / "1.png"
    Image.new("L", (48, 48), 7).save(changed)
    os.utime(changed, ns=(0, 0))  # pictures of one colour are equally large
    packed = prepare(manifest, tmp_path / "cache", WHOLE, workers=1)
    assert [int(frame.mean()) for frame in packed.frames_of(packed.clips[0])] == [50, 7, 50]
    (changed.parent / "2.png").rename(changed.parent / "3.png")
    assert prepare(manifest, tmp_path / "cache", WHOLE, workers=1).clips[0].times_s == (0.0, 0.04, 0.12)


def test_a_clip_whose_name_no_file_can_have_is_left_out(tmp_path: Path) -> None:
    whole = data_set(tmp_path / "set", stills=2)
    manifest = Manifest((*whole.records, ClipRecord("long", tmp_path / f"{'x' * 300}.mp4", "happy")))
    packed = prepare(manifest, tmp_path / "cache", WHOLE, workers=1)
    assert "long" in packed.left_out


def test_of_two_that_begin_at_once_one_prepares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = data_set(tmp_path / "set", stills=2)
    at_work, prepare_pieces = threading.Barrier(2, timeout=60), module._prepare_pieces
    began: list[object] = []

    def slowly(*arguments: Any) -> None:
        began.append(arguments)
        at_work.wait()
        time.sleep(0.2)  # the other one comes as far as it can
        prepare_pieces(*arguments)

    monkeypatch.setattr(module, "_prepare_pieces", slowly)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(prepare, manifest, tmp_path / "cache", WHOLE, 1)
        at_work.wait()
        second = pool.submit(prepare, manifest, tmp_path / "cache", WHOLE, 1)
        assert contents(first.result()) == contents(second.result())
    assert len(began) == 1
    assert {path.name for path in (tmp_path / "cache").iterdir()} == CACHE


def test_parts_of_a_video_are_pieces_of_work_in_the_order_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_clip(tmp_path / "a.mp4", [k / 10 for k in range(40)], size=(64, 64))
    Image.new("L", (64, 64)).save(tmp_path / "b.png")
    bounds = [(2.0, 2.5), (0.5, 1.5), (3.5, None), (0.0, 0.5), (3.0, 3.4)]
    records = [ClipRecord(f"at {a}", video, ("happy", "sad")[i % 2], a, b) for i, (a, b) in enumerate(bounds)]
    records.insert(1, ClipRecord("still", tmp_path / "b.png", "sad"))
    records.append(ClipRecord("frames", video, "sad", frames=("7", "9")))
    manifest = Manifest(tuple(records))
    monkeypatch.setattr(module, "SECONDS_AT_ONCE", 1.4)
    asked = [[record.clip_id for record in piece.records] for piece in module._pieces(manifest, WHOLE)]
    assert asked == [["still"], ["at 0.0", "frames", "at 0.5"], ["at 2.0", "at 3.0", "at 3.5"]]
    packed = prepare(manifest, tmp_path / "cache", CropSettings(Preprocess(64, 3), faces="none"), workers=1)
    assert [clip.clip_id for clip in packed.clips] == [record.clip_id for record in records]
    numbers = {clip.clip_id: [read_number(crop) for crop in packed.frames_of(clip)] for clip in packed.clips[2:]}
    assert numbers["at 0.5"] == list(range(5, 15))
    assert numbers["at 3.5"] == list(range(35, 40))
    assert numbers["frames"] == [7, 9]


def test_a_piece_of_work_is_filled_by_pictures_not_by_clips(tmp_path: Path) -> None:
    records = []
    for clip in ("a", "b", "c"):
        (tmp_path / clip).mkdir()
        names = tuple(f"{k}.png" for k in range(130))
        for name in names:
            (tmp_path / clip / name).write_bytes(b"")
        records.append(ClipRecord(clip, tmp_path / clip, "sad" if clip == "a" else "happy"))
    asked = [len(piece.records) for piece in module._pieces(Manifest(tuple(records)), WHOLE)]
    assert asked == [2, 1]


def test_a_folder_of_something_else_is_left_alone(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds something else"):
        prepare(manifest, tmp_path, WHOLE)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        prepare(manifest, tmp_path / "file" / "cache", WHOLE)


def test_a_set_of_which_nothing_can_be_prepared_is_refused(tmp_path: Path) -> None:
    records = [ClipRecord(name, tmp_path / name, label) for name, label in (("a.png", "happy"), ("b.png", "sad"))]
    with pytest.raises(DatasetError, match="as all clips, cannot be prepared"):
        prepare(Manifest(tuple(records)), tmp_path / "cache", WHOLE, workers=1)


def test_a_full_disk_is_one_line_and_what_is_done_stays(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_packed", full)
        with pytest.raises(OutputError, match="No space left on device"):
            prepare(manifest, tmp_path / "cache", WHOLE, workers=1)
    pieces = sorted((tmp_path / "cache" / "parts").iterdir())
    assert pieces
    monkeypatch.setattr(module, "_prepare_piece", None)  # nothing is left to be prepared
    prepare(manifest, tmp_path / "cache", WHOLE, workers=1)


@pytest.mark.parametrize("damage", ["missing", "text", "short", "frames"])
def test_a_damaged_cache_is_one_line(manifest: Manifest, tmp_path: Path, damage: str) -> None:
    prepare(manifest, tmp_path, WHOLE, workers=1)
    if damage == "missing":
        (tmp_path / "index.parquet").unlink()
    elif damage == "text":
        (tmp_path / "cache.json").write_text("{")
    elif damage == "short":
        (tmp_path / "frames.npy").write_bytes((tmp_path / "frames.npy").read_bytes()[:500])
    else:
        np.save(tmp_path / "frames.npy", np.zeros((2, 48, 48, 1), np.uint8))
    with pytest.raises(DatasetError, match="prepare") as error:
        read_packed(tmp_path)
    assert "\n" not in str(error.value)
    assert len(prepare(manifest, tmp_path, WHOLE, workers=1)) == 7  # made anew


def test_a_cache_of_another_version_is_made_anew(manifest: Manifest, tmp_path: Path) -> None:
    first = contents(prepare(manifest, tmp_path, WHOLE, workers=1))
    document = json.loads((tmp_path / "cache.json").read_text())
    (tmp_path / "cache.json").write_text(json.dumps({**document, "format": 1}))
    with pytest.raises(DatasetError, match="was made by another version"):
        read_packed(tmp_path)
    assert contents(prepare(manifest, tmp_path, WHOLE, workers=1)) == first


def test_killed_again_and_again_it_ends_with_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = data_set(tmp_path / "set", stills=160)
    write_manifest(manifest, tmp_path / "m.csv")
    code = (
        "import sys, seqfer.datasets.prepare as p\n"
        "from seqfer.datasets.crops import CropSettings\n"
        "from seqfer.datasets.manifest import read_manifest\n"
        "p.PICTURES_AT_ONCE = 2\n"
        "if __name__ == '__main__':\n"
        "    p.prepare(read_manifest('m.csv'), 'cache', CropSettings(faces='none'), workers=2)\n"
    )
    (tmp_path / "run.py").write_text(code)
    rng = random.Random(0)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done, stopped_at = 0, []
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "run.py"],
            cwd=tmp_path,
            env=environment,
            start_new_session=True,
            stderr=subprocess.PIPE,
        )
        enough = rng.randint(1, 8) + done
        while process.poll() is None and (done := len(list(tmp_path.glob("cache/parts/*.json")))) < enough:
            time.sleep(0.001)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not (tmp_path / "cache" / "cache.json").exists()
        stopped_at.append(done)
    assert 0 < stopped_at[0] < stopped_at[1] < stopped_at[2] < 82  # pieces of work, of which none is done again
    monkeypatch.setattr(module, "PICTURES_AT_ONCE", 2)
    resumed = prepare(manifest, tmp_path / "cache", WHOLE, workers=2)
    alone = prepare(manifest, tmp_path / "other", WHOLE, workers=2)
    assert contents(resumed) == contents(alone)
    assert len(resumed) == 161


def test_a_disk_that_is_full_in_the_middle_of_the_frames_is_one_line(tmp_path: Path) -> None:
    """No file may grow beyond a limit: the operating system ends a write in the middle, as on a full disk."""
    manifest = data_set(tmp_path / "set", stills=20)
    write_manifest(manifest, tmp_path / "m.csv")
    code = (
        "import resource\n"
        "from seqfer.datasets import prepare as p\n"
        "from seqfer.datasets.crops import CropSettings\n"
        "from seqfer.datasets.manifest import read_manifest\n"
        "from seqfer.errors import OutputError\n"
        "write = p.write_packed\n"
        "def limited(*arguments):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n"
        "    write(*arguments)\n"
        "p.write_packed = limited\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        p.prepare(read_manifest('m.csv'), 'cache', CropSettings(faces='none'), workers=1)\n"
        "    except OutputError as error:\n"
        "        print(error)\n"
    )
    (tmp_path / "run.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "run.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "cache/frames.npy: cannot be written (File too large)\n")
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"parts", ".lock"}
