from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import models_against_peers as script
import numpy as np
import pytest
from models_against_peers import Row, Run, check_same_stills, load_run, markdown_of, measure, named_rows, save_run
from numpy.typing import NDArray
from peers import Contender

from seqfer.datasets.fer2013 import StillSet
from seqfer.errors import DatasetError, OptionError
from seqfer.evaluation.stills import ALL, NEW, UNLIKE

RIGHT = (np.eye(7, dtype=int) * 10).tolist()
ROW = Row("one", "1.2", 2_630_000, 5_300_000, "pictures", {ALL: RIGHT, UNLIKE: RIGHT}, [90.0, 110.0, 100.0])
RUN = Run("abc", 2, 256, [ROW])


def stills(count: int, seed: int) -> StillSet:
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, 48, 48)).astype(np.uint8)
    return StillSet(images, generator.integers(0, 7, count))


class Brightest(Contender):
    """Answers with the remainder of a still's first pixel; says that it is broken if told so."""

    needs: tuple[str, ...] = ()
    install = "pip install brightest"
    learnt_from = "nothing"

    def __init__(self, name: str, broken: bool = False) -> None:
        self.name, self._broken = name, broken

    def load(self) -> None:
        if self._broken:
            raise ConnectionError("no way to\nthe weights")

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return np.eye(7)[images[:, 0, 0] % 7]


class Absent(Brightest):
    needs = ("no_such_module",)


class TestMeasuring:
    def test_present_models_are_measured_and_others_named(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        models = [Brightest("good"), Absent("far"), Brightest("bad", broken=True)]
        monkeypatch.setattr(script, "contenders", lambda: models)
        test, train = stills(30, 1), stills(40, 2)
        test.images[:5] = train.images[:5]
        run = measure(test, train, faces=8, turns=3)
        assert [row.name for row in run.rows] == ["good"]
        counts = {part: np.array(matrix) for part, matrix in run.rows[0].matrices.items()}
        assert {part: matrix.sum() for part, matrix in counts.items()} == {ALL: 30, NEW: 25, UNLIKE: 25}
        assert np.trace(counts[ALL]) == (test.images[:, 0, 0] % 7 == test.labels).sum()
        assert len(run.rows[0].faces_per_s) == 3
        assert run.faces == 8
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 2
        assert "far: not here, for lack of no_such_module; pip install brightest" in lines[0]
        assert "bad: cannot be loaded (ConnectionError: no way to the weights)" in lines[1]

    def test_no_model_at_all_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(script, "contenders", lambda: [Absent("far")])
        with pytest.raises(OptionError, match="no model is there"):
            measure(stills(4, 1), stills(4, 2), 4, 1)

    def test_without_opencvs_contrib_modules_near_repeats_are_left_out(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(script, "contenders", lambda: [Brightest("good")])
        monkeypatch.delattr("cv2.img_hash")
        run = measure(stills(9, 1), stills(9, 2), 4, 1)
        assert set(run.rows[0].matrices) == {ALL, NEW}
        assert "near repeats" in capsys.readouterr().err
        assert "| – | – |" in "\n".join(markdown_of([run]))


class TestJoining:
    def test_a_kept_run_comes_back_as_it_was(self, tmp_path: Path) -> None:
        save_run(RUN, tmp_path / "run.json")
        assert load_run(tmp_path / "run.json") == RUN

    def test_models_of_several_runs_say_whose_they_are(self) -> None:
        assert [name for name, _ in named_rows([RUN])] == ["one (1.2)"]
        assert [name for name, _ in named_rows([RUN, RUN])] == ["one (1.2) [1]", "one (1.2) [2]"]

    def test_runs_on_other_stills_are_not_joined(self) -> None:
        with pytest.raises(DatasetError, match=r"^b\.json: was measured on other stills than a\.json"):
            check_same_stills([RUN, replace(RUN, stills_sha256="other")], [Path("a.json"), Path("b.json")])

    @pytest.mark.parametrize(
        "change",
        [
            {"format": 2},
            {"rows": [{"name": "one"}]},
            {"rows": 5},
            {"more": 1},
            {"rows": [{**vars(ROW), "matrices": {ALL: [[1, 2], [3, 4]]}}]},
            {"rows": [{**vars(ROW), "matrices": {UNLIKE: RIGHT}}]},
            {"rows": [{**vars(ROW), "faces_per_s": []}]},
            {"rows": []},
        ],
        ids=["format", "row", "rows", "unknown key", "shape", "no whole", "no speed", "no rows"],
    )
    def test_what_is_no_run_is_refused(self, tmp_path: Path, change: dict[str, object]) -> None:
        save_run(RUN, tmp_path / "run.json")
        document = json.loads((tmp_path / "run.json").read_text()) | change
        (tmp_path / "run.json").write_text(json.dumps(document))
        with pytest.raises(DatasetError, match="is no run of --save"):
            load_run(tmp_path / "run.json")

    @pytest.mark.parametrize("text", ["[]", "{}", "no JSON", "5"])
    def test_other_files_are_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(DatasetError, match="is no run of --save"):
            load_run(tmp_path / "run.json")


def test_the_readmes_table_has_a_line_for_each_model() -> None:
    head, _, line, empty, below = markdown_of([RUN])
    assert head.count("|") == line.count("|")
    assert line.startswith("| one (1.2) | 100.0 % (")
    assert line.endswith("| 2.63 M | 5.30 MB | 100 |")
    assert empty == ""
    assert below.startswith(
        "70 stills, 70 stills unlike any of Training. faces/s: 256 faces at once, on 2 CPU cores"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: --fer2013 or --join is needed"),
        (["--fer2013", "nowhere"], "error: nowhere: no such file or folder"),
        (["--fer2013", "nowhere", "--turns", "0"], "error: --faces and --turns must be at least 1"),
        (["--fer2013", "nowhere", "--save", "no/run.json"], "error: no/run.json: is in no folder"),
        (["--join", "nowhere.json"], "error: nowhere.json: cannot be read"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    command = [sys.executable, script.__file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


def test_without_pytorch_the_script_still_starts() -> None:
    """Where a peer has an environment of its own, most of what seqfer needs is missing."""
    folder = Path(script.__file__).parent
    absent = ("torch", "mediapipe", "av", "pydantic", "scipy", "pandas", "matplotlib", "typer")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent})); sys.path.insert(0, {str(folder)!r}); "
        "import models_against_peers; from seqfer.faces import geometry"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
