"""A sweep's plan: which cells a grid makes, what they and their folders are called, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from seqfer.errors import OptionError
from seqfer.training.config_file import known_configs, read_config
from seqfer.training.schedule import rate_factor
from seqfer.training.sweep import LONGEST_NAME, Sweep, as_text, known_sweeps, read_sweep

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text("optimizer: {name: sgd, rate: 0.5, weight_decay: 0.25}\nepochs: 9\nseed: 7\n")
    return path


def of(settings: Path, *grid: str, changes: tuple[str, ...] = ()) -> Sweep:
    return read_sweep(str(settings), changes, grid)


def test_every_combination_is_a_cell_and_the_last_key_varies_fastest(settings: Path) -> None:
    sweep = of(settings, "epochs=50,75", "batch_size=32,64,128")
    assert [cell.name for cell in sweep.cells] == [
        f"epochs={epochs},batch_size={size}" for epochs in (50, 75) for size in (32, 64, 128)
    ]
    assert [(cell.config.epochs, cell.config.batch_size) for cell in sweep.cells] == [
        (epochs, size) for epochs in (50, 75) for size in (32, 64, 128)
    ]
    assert {cell.config.seed for cell in sweep.cells} == {7}
    assert (sweep.name, sweep.keys, sweep.columns) == ("c", ("epochs", "batch_size"), ("epochs", "batch_size"))
    assert sweep.values(0) == ["50", "75"]
    assert sweep.cells[4].labels == ("75", "64")


@pytest.mark.parametrize(
    ("key", "text", "names"),
    [
        (
            "optimizer.rate",
            "1e-4, 0.5",
            ["optimizer.rate=0.0001", "optimizer.rate=0.5"],
        ),  # 1e-4 is text to YAML 1.1
        ("optimizer.rate", "1.0e-4,1", ["optimizer.rate=0.0001", "optimizer.rate=1"]),
        ("optimizer.rate", "0.123456789,1e-07", ["optimizer.rate=0.123456789", "optimizer.rate=1e-07"]),
        ("data.balanced", "true,no", ["data.balanced=true", "data.balanced=false"]),
        ("schedule.name", "cosine,one_cycle", ["schedule.name=cosine", "schedule.name=one_cycle"]),
        ("optimizer", "{name: adam},{rate: 1}", ["optimizer.name=adam", "optimizer.rate=1"]),
    ],
)
def test_folders_have_the_names_of_what_was_understood(
    key: str, text: str, names: list[str], settings: Path
) -> None:
    assert [cell.name for cell in of(settings, f"{key}={text}").cells] == names


@pytest.mark.parametrize(
    "grid",
    [
        "start.weights=runs/a/best,runs-a-best",
        "start.stage_rates=[0, 1],[1],[0]",
        "model.encoder_settings={widths: [8, 16]},{widths: [8, 17]}",
        f"start.weights={'x' * 300},{'x' * 301}",
        "start.weights=../up,ä,ö,a b",
    ],
)
def test_every_folder_has_a_name_of_its_own_that_file_systems_take(grid: str, settings: Path) -> None:
    names = [cell.name for cell in of(settings, grid).cells]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_.,=+~-]+", name)
        assert len(name) <= LONGEST_NAME + 9
        assert "=" in name


def test_a_section_changes_some_of_its_settings_together_and_leaves_the_others(settings: Path) -> None:
    sweep = of(settings, "optimizer={name: adam, rate: 0.001},{name: sgd}", "seed=0,1")
    found = [cell.config.optimizer for cell in sweep.cells[::2]]
    assert [(o.name, o.rate, o.weight_decay) for o in found] == [("adam", 0.001, 0.25), ("sgd", 0.5, 0.25)]
    assert sweep.values(0) == ["adam, rate 0.001", "sgd"]
    assert sweep.columns == ("optimizer.name", "optimizer.rate", "seed")
    assert sweep.cells[0].name == "optimizer.name=adam,optimizer.rate=0.001,seed=0"


def test_free_settings_are_replaced_as_by_set(settings: Path) -> None:
    sweep = of(settings, "model={head: mean, head_settings: {}},{head: bilstm, head_settings: {width: 8}}")
    assert [cell.config.model.head_settings for cell in sweep.cells] == [{}, {"width": 8}]


def test_changes_go_to_all_cells(settings: Path) -> None:
    sweep = of(settings, "seed=0,1", changes=("epochs=3", "optimizer.rate=0.125"))
    assert {(cell.config.epochs, cell.config.optimizer.rate) for cell in sweep.cells} == {(3, 0.125)}


def test_a_file_names_settings_beside_it_changes_and_grid_and_options_win(settings: Path) -> None:
    path = settings.with_name("mine.sweep.yaml")
    document = {
        "config": "c.yaml",
        "set": {"epochs": 4, "optimizer.rate": 0.1},
        "grid": {"batch_size": [8, 16], "seed": [1, 2]},
    }
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    sweep = of(path)
    assert sweep.name == "mine"
    assert sweep.keys == ("batch_size", "seed")
    assert {(c.config.epochs, c.config.optimizer.rate, c.config.optimizer.name) for c in sweep.cells} == {
        (4, 0.1, "sgd")
    }
    changed = of(path, "seed=3", "optimizer.name=sgd,adam", changes=("epochs=5",))
    assert changed.keys == ("batch_size", "seed", "optimizer.name")
    assert (changed.values(1), {cell.config.epochs for cell in changed.cells}) == (["3"], {5})


@pytest.mark.parametrize("name", known_sweeps())
def test_the_shipped_sweeps_can_be_run(name: str) -> None:
    path = known_sweeps()[name]
    document = yaml.safe_load(path.read_text())
    assert name not in known_configs()
    assert name.startswith("papers/")
    assert f"seqfer sweep {name} " in path.read_text()
    sweep = read_sweep(name)
    count = 1
    for key in range(len(sweep.keys)):
        count *= len(sweep.values(key))
    assert len(sweep.cells) == count
    assert all(cell.config.model == read_config(document["config"]).model for cell in sweep.cells)
    for cell in sweep.cells:  # what compares cells must not be learnt from
        assert not cell.config.data.with_validation
        assert cell.config.select != "last"


def test_every_schedule_of_the_shipped_comparison_ends_where_it_should() -> None:
    """One that is stopped in the middle of a cycle is not compared but handicapped."""
    ends = {}
    for cell in read_sweep("papers/p2-optimizers.sweep").cells:
        schedule, epochs = cell.config.schedule, cell.config.epochs
        ends[schedule.name] = rate_factor(schedule, epochs - 0.01, epochs)
    assert ends["constant"] == 1
    assert ends["step"] == pytest.approx(0.01), "two reductions"
    assert all(ends[name] < 0.001 for name in ("cosine", "cosine_restarts", "one_cycle"))


def test_the_papers_tables_are_the_shipped_grids() -> None:
    grids = {name: yaml.safe_load(path.read_text())["grid"] for name, path in known_sweeps().items()}
    assert {name: list(grid) for name, grid in grids.items()} == {
        "papers/p2-optimizers.sweep": ["optimizer", "schedule.name"],
        "papers/p5-epochs-batch.sweep": ["epochs", "batch_size"],
        "papers/p5-rate-batch.sweep": ["optimizer.rate", "batch_size"],
    }


@pytest.mark.parametrize(
    ("grid", "changes", "message"),
    [
        ([], [], "there is nothing to vary; give --grid key=value,value, as optimizer.rate=0.1,0.01"),
        (["epochs"], [], "--grid takes key=value,value, as optimizer.rate=0.1,0.01, not 'epochs'"),
        (["epochs=1,["], [], "--grid epochs=1,[: the values are not YAML, parted by commas"),
        (["epochs=1,,2"], [], "--grid epochs=1,,2: the values are not YAML, parted by commas"),
        (["epochs="], [], "the grid gives epochs no value; as in --grid optimizer.rate=0.1,0.01"),
        (["optimizer={}"], [], "the grid gives optimizer no value; as in --grid optimizer.rate=0.1,0.01"),
        (["epochs=1", "epochs=2"], [], "--grid gives epochs twice; give all of its values at once"),
        (["epochs=1,2"], ["epochs=3"], "epochs is set, and epochs in the grid varies it; leave out one of them"),
        (
            ["optimizer={rate: 1},{rate: 2}"],
            ["optimizer.rate=3"],
            "optimizer.rate is set, and optimizer in the grid varies it; leave out one of them",
        ),
        (
            ["model.encoder_settings.widths=[8],[16]"],
            ["model.encoder_settings={}"],
            "model.encoder_settings is set, and model.encoder_settings.widths in the grid varies it; leave out "
            "one of them",
        ),
        (
            ["optimizer.rate=1,2", "optimizer={rate: 3}"],
            [],
            "optimizer.rate and optimizer in the grid set the same; leave out one of them",
        ),
        (
            ["optimizer.rate=0.1,1e-1"],
            [],
            "the grid holds the same cell twice: optimizer.rate=0.1 and optimizer.rate=0.1",
        ),
        (
            ["optimizer.rat=1,2"],
            [],
            "grid cell optimizer.rat=1: {file}: unknown setting 'optimizer.rat'; did you mean 'optimizer.rate'? "
            "see docs/settings.md",
        ),
        (
            ["seed=0,1", "epochs=1,many"],
            [],
            "grid cell seed=0, epochs=many: {file}: epochs: input should be a valid integer, unable to parse "
            "string as an integer, not 'many'",
        ),
        (
            ["schedule.warmup=5,9"],
            [],
            "grid cell schedule.warmup=9: {file}: schedule.warmup (9) must be shorter than epochs (9)",
        ),
        (["epochs.x=1,2"], [], "grid cell epochs.x=1: cannot set epochs.x: 'epochs' is not a section"),
        (["optimizer=3,4"], [], "grid cell optimizer=3: {file}: optimizer must hold settings of its own, not 3"),
        (
            ["optimizer.rate=1,.inf"],
            [],
            "grid cell optimizer.rate=inf: {file}: optimizer.rate must be a finite number, not inf",
        ),
        (
            ["epochs=1,2"],
            ["epoch=3"],
            "grid cell epochs=1: {file}: unknown setting 'epoch'; did you mean 'epochs'? see docs/settings.md",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_grid_is_one_line(grid: list[str], changes: list[str], message: str, settings: Path) -> None:
    with pytest.raises(OptionError) as error:
        of(settings, *grid, changes=tuple(changes))
    assert str(error.value) == message.replace("{file}", str(settings))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grid: {epochs: [1]}", "config must name the settings that the sweep varies"),
        ("config: c.yaml\ngrid: {epochs: 5}", "grid: epochs must have a list of values, not 5"),
        ("config: c.yaml\ngrid: [1, 2]", "grid must hold settings by their names, not [1, 2]"),
        ("config: c.yaml\ngrid: {epochs: [1]}\nset: [1]", "set must hold settings by their names, not [1]"),
        ("config: c.yaml\ngrid: {epochs: [1]}\nsett: {}", "a sweep has no 'sett', but config, set, grid"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(text: str, message: str, settings: Path) -> None:
    path = settings.with_name("s.yaml")
    path.write_text(text)
    with pytest.raises(OptionError) as error:
        of(path)
    assert str(error.value) == f"{path}: {message}"


def test_names_that_are_not_known_list_settings_and_sweeps(settings: Path) -> None:
    with pytest.raises(
        OptionError, match=r"unknown settings 'papers/p5-rate.sweep'; known: .*p5-rate-batch.sweep"
    ):
        read_sweep("papers/p5-rate.sweep")
    with pytest.raises(
        OptionError, match=r"unknown settings 'compakt'; known: .*compact, .*papers/p5-rate-batch.sweep"
    ):
        read_sweep("compakt", (), ["epochs=1,2"])
    path = settings.with_name("s.sweep.yaml")
    path.write_text("config: gone.yaml\ngrid: {epochs: [1]}")
    with pytest.raises(OptionError, match=r"gone\.yaml: cannot be read"):
        of(path)
    path.write_text("config: c.yaml\ngrid:\n")
    with pytest.raises(OptionError, match="there is nothing to vary"):
        of(path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("adam", "adam"),
        (0.0, "0"),
        (1e-5, "1e-05"),
        (0.1234567, "0.1234567"),
        (3, "3"),
        (True, "true"),
        (None, "null"),
        ((0.0, 0.5), "[0, 0.5]"),
        ({"widths": (8, 16)}, "{widths: [8, 16]}"),
    ],
)
def test_values_are_shown_as_yaml_has_them(value: object, text: str) -> None:
    assert as_text(value) == text


def test_a_sweeps_file_without_a_grid_takes_that_of_the_command(settings: Path) -> None:
    path = settings.with_name("mine.sweep.yaml")
    path.write_text("config: c.yaml\nset: {epochs: 4}\n")
    assert [cell.config.seed for cell in of(path, "seed=1,2").cells] == [1, 2]
    with pytest.raises(OptionError, match="there is nothing to vary"):
        of(path)


def test_two_cells_cannot_share_a_folder(settings: Path) -> None:
    with pytest.raises(OptionError, match="the grid holds the same cell twice"):
        of(settings, "model.encoder_settings.stem_width=8,'8'")
