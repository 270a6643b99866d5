"""The training loop: it learns, chooses on validation, goes on where it was stopped, and ends on bad losses."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from seqfer.datasets.packed import PackedClips
from seqfer.errors import ModelError, OptionError, OutputError
from seqfer.evaluation.metrics import metrics
from seqfer.evaluation.predictions import predict
from seqfer.models import encoders
from seqfer.models.checkpoint import Provenance, load_checkpoint, save_checkpoint
from seqfer.models.heads import soften
from seqfer.models.inference import Predictor
from seqfer.training import loop, records
from seqfer.training.augmentation import Strength
from seqfer.training.config import TeacherConfig, TrainConfig
from seqfer.training.loop import Trainer
from seqfer.training.reports import EpochReport, StepReport
from tests.training.striped_clips import files_of, small_config, split_of, striped_clips

CPU = torch.device("cpu")
CLIPS = striped_clips()


def trainer(config: TrainConfig, folder: Path, packed: PackedClips = CLIPS) -> Trainer:
    return Trainer(config, packed, split_of(packed, "train"), split_of(packed, "validation"), folder, CPU)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(folder).model.state_dict()


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def test_it_learns_and_keeps_the_best_and_the_last_epoch(tmp_path: Path) -> None:
    config = small_config(epochs=8)
    reports = [r for r in trainer(config, tmp_path).run() if isinstance(r, EpochReport)]
    assert [report.epoch for report in reports] == list(range(1, 9))
    assert reports[-1].loss < 0.5 * reports[0].loss
    measured = [report.validation or {} for report in reports]
    best = max(figures["uar"] for figures in measured)
    assert best > 0.8  # chance is 0.33
    chosen = min((f["log_loss"], epoch) for epoch, f in enumerate(measured, start=1) if f["uar"] == best)[1]
    assert [report.epoch for report in reports if report.best][-1] == chosen

    checkpoint = load_checkpoint(tmp_path / "best")
    assert checkpoint.provenance.training["epoch"] == chosen
    assert checkpoint.provenance.training["config"]["optimizer"]["rate"] == 0.01
    assert checkpoint.provenance.metrics["validation"]["uar"] == best
    assert load_checkpoint(tmp_path / "last").provenance.training["epoch"] == 8
    # What was reported is what anyone measures who reads the file.
    again = predict(Predictor(checkpoint.model, CPU), CLIPS, split_of(CLIPS, "validation"))
    assert metrics(again.matrix()).uar == best

    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["validation"] for line in lines] == measured
    assert [line["step"] for line in lines] == [6 * epoch for epoch in range(1, 9)]
    assert {"best", "last", "config.yaml", "metrics.jsonl", "curves.png", "state.pt"} <= files_of(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {
            "model__head": "mean",
            "model__head_settings": {"dropout": 0.2},
            "model__encoder": "vgg",
            "model__encoder_settings": {"widths": [8, 16], "convolutions": [1, 1]},
        },
        {"loss__mixup": 0.4, "loss__label_smoothing": 0.1, "loss__frame": 0.5, "loss__class_weights": "balanced"},
        {"optimizer__name": "sgd", "optimizer__rate": 0.05, "optimizer__clip_norm": 1.0, "data__balanced": True},
        {
            "optimizer__ema": 0.9,
            "optimizer__precise_norms": 20,
            "schedule__name": "plateau",
            "schedule__patience": 1,
        },
        {"start__stage_rates": [0, 0.5, 1], "data__speed": 1.3, "data__longest_s": 0.1},
        {"precision": "bfloat16", "window__side": 12, "window__share": 0.7},
        {"teacher__share": 0.7, "loss__mixup": 0.4},
        {"teacher__once": True, "loss__mixup": 0.4},
    ],
    ids=lambda changes: " ".join(changes),
)
def test_stopped_anywhere_and_started_again_it_ends_bit_for_bit_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    config = small_config(epochs=3, **changes)
    if config.teacher != TeacherConfig():
        given = trainer(small_config(seed=7), tmp_path / "teacher").model
        save_checkpoint(tmp_path / "given", given, Provenance())
        config = replace(config, teacher=replace(config.teacher, model=str(tmp_path / "given")))
    list(trainer(config, tmp_path / "whole").run())

    monkeypatch.setattr(loop, "REPORT_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    stops = [3, 1, 7]  # reports after which the run is left: within epochs, and right after one
    for stop in stops:
        reports = trainer(config, tmp_path / "parts").run()
        for _ in range(stop):
            next(reports)
        reports.close()
    rest = trainer(config, tmp_path / "parts")
    assert 0 < len(rest.history) < 3
    assert rest._step % 6 != 0
    list(rest.run())

    for name in ("best", "last"):
        assert_same(weights_of(tmp_path / "whole" / name), weights_of(tmp_path / "parts" / name))
    histories = [
        [
            {**json.loads(line), "seconds": 0}
            for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()
        ]
        for run in ("whole", "parts")
    ]
    assert histories[0] == histories[1]


def test_what_is_finished_stays_finished(tmp_path: Path) -> None:
    config = small_config(epochs=1)
    list(trainer(config, tmp_path).run())
    before = weights_of(tmp_path / "last")
    again = trainer(config, tmp_path)
    assert again.finished
    assert list(again.run()) == []
    assert_same(before, weights_of(tmp_path / "last"))


def test_a_run_goes_on_only_under_its_own_settings_and_data(tmp_path: Path) -> None:
    list(trainer(small_config(epochs=1), tmp_path).run())
    with pytest.raises(ModelError, match=r"begun with another optimizer\.rate; choose another run folder"):
        trainer(small_config(epochs=1, optimizer__rate=0.02), tmp_path)
    with pytest.raises(ModelError, match="begun with another data"):
        trainer(small_config(epochs=1), tmp_path, striped_clips(train=51))


def test_it_ends_early_when_nothing_gets_better(tmp_path: Path) -> None:
    # A rate of nearly nothing: the figure of the first epoch stays the best.
    run = trainer(small_config(epochs=20, stop_after=3, optimizer__rate=1e-12), tmp_path)
    list(run.run())
    assert len(run.history) == 4
    assert [entry["best"] for entry in run.history] == [True, False, False, False]
    assert run.finished


@pytest.mark.parametrize(("select", "figure", "sign"), [("loss", "log_loss", -1), ("accuracy", "accuracy", 1)])
def test_the_figure_that_chooses_is_the_one_that_was_asked_for(
    tmp_path: Path, select: str, figure: str, sign: int
) -> None:
    run = trainer(small_config(epochs=5, select=select), tmp_path)
    list(run.run())
    figures = [
        (sign * entry["validation"][figure], -entry["validation"]["log_loss"]) for entry in run.history
    ]  # of equal ones, that with less loss
    chosen = load_checkpoint(tmp_path / "best").provenance.training["epoch"]
    assert figures[chosen - 1] == max(figures)


def test_frozen_stages_keep_weights_and_statistics(tmp_path: Path) -> None:
    run = trainer(small_config(epochs=1, start__stage_rates=[0, 0, 1]), tmp_path)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    list(run.run())
    after = run.model.state_dict()
    moved = {name.split(".")[2] for name in before if "encoder" in name and not before[name].equal(after[name])}
    assert moved == {"3"}  # of the encoder's layers: the last stage alone


def test_the_average_of_the_weights_is_what_is_kept(tmp_path: Path) -> None:
    run = trainer(small_config(epochs=2, optimizer__ema=0.99), tmp_path)
    list(run.run())
    kept, own = weights_of(tmp_path / "last"), run.model.state_dict()
    assert not kept["head.frame.weight"].equal(own["head.frame.weight"])
    assert run._average is not None
    assert_same(kept, run._average.module.state_dict())


@pytest.mark.parametrize("after_epochs", [0, 1])
def test_a_loss_that_is_no_number_ends_it_and_keeps_what_was_good(tmp_path: Path, after_epochs: int) -> None:
    run = trainer(small_config(epochs=3), tmp_path)
    reports = run.run()
    while len(run.history) < after_epochs:
        next(reports)
    learn, steps = run._learn, []

    def spoiled(*arguments: object) -> torch.Tensor:
        steps.append(learn(*arguments))  # type: ignore[arg-type]
        return steps[-1] * (math.nan if len(steps) == 2 else 1)

    run._learn = spoiled  # type: ignore[method-assign, assignment]
    step = 6 * after_epochs + 2
    with pytest.raises(
        ModelError, match=rf"loss of step {step} \(epoch {after_epochs + 1}\) is nan; what was saved"
    ):
        list(reports)
    assert (tmp_path / "best").exists() == bool(after_epochs)
    if after_epochs:
        assert load_checkpoint(tmp_path / "best").provenance.training["epoch"] == 1
        assert len(trainer(small_config(epochs=3), tmp_path).history) == 1


def test_a_rate_that_is_far_too_high_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the loss of step [2-6] \(epoch 1\) is (nan|inf)"):
        list(trainer(small_config(optimizer__name="sgd", optimizer__rate=1e30), tmp_path).run())


def test_a_full_disk_is_one_line_and_the_run_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(epochs=2)
    list(trainer(config, tmp_path / "whole").run())
    run = trainer(config, tmp_path / "parts")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    reports = run.run()
    while not run.history:
        next(reports)
    with monkeypatch.context() as patch:
        patch.setattr(records, "save_checkpoint", full)
        with pytest.raises(
            OutputError, match=r"parts: cannot be used \(No space left on device\); make room"
        ) as error:
            list(reports)
    assert "\n" not in str(error.value)
    list(trainer(config, tmp_path / "parts").run())
    assert_same(weights_of(tmp_path / "whole" / "last"), weights_of(tmp_path / "parts" / "last"))


def test_steps_are_reported_with_what_they_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "REPORT_EVERY_S", 0.0)
    run = trainer(small_config(epochs=1, schedule__name="one_cycle"), tmp_path)
    reports = [report for report in run.run() if isinstance(report, StepReport)]
    assert [(report.epoch, report.step, report.steps) for report in reports] == [(1, k, 6) for k in range(1, 7)]
    assert all(report.clips_per_s > 0 and math.isfinite(report.loss) for report in reports)
    assert reports[0].rate == pytest.approx(0.04 * 0.01)
    assert max(report.rate for report in reports) <= 0.01


def test_settings_that_do_not_fit_the_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"which is not in model\.labels"):
        trainer(small_config(model__labels=["angry", "happy"]), tmp_path)
    with pytest.raises(OptionError, match="there is no validation clip"):
        Trainer(small_config(), CLIPS, split_of(CLIPS, "train"), [], tmp_path, CPU)
    assert files_of(tmp_path) == set()


def test_where_nothing_is_chosen_the_last_epoch_is_kept(tmp_path: Path) -> None:
    config = small_config(epochs=3, select="last")
    list(trainer(config, tmp_path / "validated").run())
    joined = Trainer(config, CLIPS, CLIPS.clips, [], tmp_path / "joined", CPU)
    reports = [r for r in joined.run() if isinstance(r, EpochReport)]
    assert [(report.validation, report.best) for report in reports] == [(None, True)] * 3
    for run, metrics_of in (("validated", {"validation"}), ("joined", set())):
        best, last = (load_checkpoint(tmp_path / run / name) for name in ("best", "last"))
        assert best.sha256 == last.sha256
        assert best.provenance.training["epoch"] == 3
        assert set(best.provenance.metrics) == metrics_of
    chosen = load_checkpoint(tmp_path / "validated" / "best").provenance.metrics["validation"]["chose_the_epoch"]
    assert chosen is False
    # Such a run goes on too, and its curves are drawn without what is not there.
    assert (tmp_path / "joined" / "curves.png").stat().st_size > 5_000
    assert Trainer(config, CLIPS, CLIPS.clips, [], tmp_path / "joined", CPU).finished


def test_labels_that_nobody_shows_are_named(tmp_path: Path) -> None:
    run = trainer(small_config(model__labels=["angry", "happy", "sad", "fear"], epochs=1), tmp_path)
    assert run.not_learnt == ["fear"]
    assert trainer(small_config(), tmp_path / "other").not_learnt == []


def test_weights_that_break_in_an_epochs_last_step_are_found_out(tmp_path: Path) -> None:
    one_step = small_config(optimizer__name="sgd", optimizer__rate=1e30, batch_size=64)
    with pytest.raises(ModelError, match=r"the loss of step 1 \(epoch 1\) is nan"):
        list(trainer(one_step, tmp_path).run())
    assert files_of(tmp_path) == {"config.yaml"}


@pytest.mark.parametrize("content", [b"", b"no state", b"PK\x03\x04"], ids=["empty", "text", "cut off"])
def test_a_damaged_state_is_one_line(tmp_path: Path, content: bytes) -> None:
    list(trainer(small_config(epochs=1), tmp_path).run())
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(ModelError, match=r"state\.pt: is damaged; choose another run folder"):
        trainer(small_config(epochs=1), tmp_path)


def test_a_model_whose_state_is_gone_is_not_overwritten(tmp_path: Path) -> None:
    list(trainer(small_config(epochs=1), tmp_path).run())
    (tmp_path / "state.pt").unlink()
    with pytest.raises(ModelError, match=r"state\.pt: missing beside a trained model"):
        trainer(small_config(epochs=2), tmp_path)


def test_a_model_that_was_calibrated_where_it_lies_stays_so(tmp_path: Path) -> None:
    config = small_config(epochs=2, select="last")
    list(trainer(config, tmp_path).run())
    best = load_checkpoint(tmp_path / "best")
    soften(best.model.head, 2.0)
    save_checkpoint(tmp_path / "best", best.model, best.provenance)
    softened = weights_of(tmp_path / "best")
    list(trainer(config, tmp_path).run())
    assert_same(softened, weights_of(tmp_path / "best"))


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_models_that_were_cut_off_after_the_state_are_written_again(tmp_path: Path, name: str) -> None:
    run = trainer(small_config(epochs=3, select="loss", optimizer__rate=1e-3), tmp_path)
    list(run.run())
    assert run.history[-1]["best"]  # what can be made again is the last epoch's model
    whole = weights_of(tmp_path / "best")
    for folder in ("best", "last"):
        (tmp_path / folder / name).unlink()
    list(trainer(small_config(epochs=3, select="loss", optimizer__rate=1e-3), tmp_path).run())
    assert_same(whole, weights_of(tmp_path / "best"))
    assert_same(whole, weights_of(tmp_path / "last"))


def test_the_trained_head_sees_as_much_at_once_as_in_training(tmp_path: Path) -> None:
    run = trainer(small_config(epochs=1, data__longest_s=0.2), tmp_path)
    list(run.run())
    assert load_checkpoint(tmp_path / "last").model.architecture.window_s == 0.2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__head_settings": {"widht": 3}}, "head 'bilstm' has no setting 'widht'; known: width, layers"),
        ({"model__encoder_settings": {"depth": 3}}, "encoder 'compact' has no setting 'depth'; known: stem_width"),
        ({"model__encoder": "resnet18", "model__encoder_settings": {"widths": [3]}}, "known: none"),
        (
            {"model__encoder": "vgg", "model__encoder_settings": {"widths": [4] * 6, "convolutions": [1] * 6}},
            "encoder 'vgg' cannot learn from 16 pixels",
        ),
        (  # the middle alone is too small for layers that the whole crop is large enough for
            {
                "model__encoder": "vgg",
                "model__encoder_settings": {"widths": [4] * 3, "convolutions": [1] * 3, "flattened": 2},
                "window__side": 12,
                "window__share": 0.5,
            },
            "encoder 'vgg' cannot learn from 12 pixels",
        ),
        (
            {
                "model__encoder": "vgg",
                "model__encoder_settings": {"widths": [4], "convolutions": [1], "middle": 20},
            },
            "encoder 'vgg' cannot learn from 16 pixels",
        ),
        (  # a single frame leaves its norms nothing to compare
            {"model__encoder": "resnet18", "model__encoder_settings": {}, "batch_size": 1},
            "encoder 'resnet18' cannot learn from 16 pixels",
        ),
    ],
)
def test_layers_that_cannot_be_are_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        trainer(small_config(**changes), tmp_path)


def test_the_first_epochs_see_the_middle_alone_if_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def middle(images: torch.Tensor, side: int) -> torch.Tensor:
        seen.append(len(run.history))
        return encoders.middle_of(images, side)

    monkeypatch.setattr(loop, "middle_of", middle)
    run = trainer(small_config(epochs=3, window__side=12, window__share=0.7), tmp_path)
    list(run.run())
    assert seen == [0] * 6 + [1] * 6


def test_a_run_that_goes_on_within_an_epoch_leaves_the_best_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "REPORT_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    reports = trainer(small_config(), tmp_path).run()
    for _ in range(7 + 4):  # an epoch's six steps and its end, then four steps more
        next(reports)
    reports.close()
    best = weights_of(tmp_path / "best")
    again = trainer(small_config(), tmp_path)
    assert again._step == 9  # saved when the next report was asked for
    reports = again.run()
    next(reports)
    reports.close()
    assert_same(best, weights_of(tmp_path / "best"))


PLAIN = {
    "optimizer__name": "sgd",
    "optimizer__rate": 1.0,
    "optimizer__momentum": 0.0,
    "optimizer__weight_decay": 0.0,
    "schedule__name": "constant",
    "precision": "float32",
}


def stepped(run: Trainer) -> torch.Tensor:
    """How far one step at rate 1 moves the weights."""
    before = [weight.detach().clone() for weight in run.model.parameters()]
    run.model.train()
    run._learn(next(run._batches.epoch(0)), 1.0)
    moved = zip(before, run.model.parameters(), strict=True)
    return torch.cat([(old - new.detach()).flatten() for old, new in moved])


def test_both_losses_weigh_as_they_are_set(tmp_path: Path) -> None:
    weights = [(1.0, 0.0), (0.0, 1.0), (0.5, 2.0)]
    configs = [small_config(**PLAIN, loss__clip=clip, loss__frame=frame) for clip, frame in weights]
    clip, frame, both = (stepped(trainer(config, tmp_path / str(k))) for k, config in enumerate(configs))
    torch.testing.assert_close(both, 0.5 * clip + 2 * frame, rtol=1e-3, atol=1e-5)


def test_gradients_are_clipped(tmp_path: Path) -> None:
    moved = stepped(trainer(small_config(**PLAIN, optimizer__clip_norm=0.01), tmp_path))
    assert moved.norm().item() == pytest.approx(0.01, rel=1e-3)


def test_balanced_classes_weigh_the_more_the_rarer_they_are(tmp_path: Path) -> None:
    some = [clip for k, clip in enumerate(split_of(CLIPS, "train")) if clip.label != "sad" or k % 4 == 0]
    config = small_config(loss__class_weights="balanced")
    run = Trainer(config, CLIPS, some, split_of(CLIPS, "validation"), tmp_path, CPU)
    counts = [sum(clip.label == name for clip in some) for name in ("angry", "happy", "sad")]
    assert run._weights is not None
    assert run._weights.tolist() == pytest.approx([len(some) / (3 * count) for count in counts])


def test_the_rate_changes_from_step_to_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "REPORT_EVERY_S", 0.0)
    run = trainer(small_config(epochs=2, schedule__name="cosine"), tmp_path)
    rates = [report.rate for report in run.run() if isinstance(report, StepReport)]
    peak = rates[0]
    assert rates == pytest.approx([peak * (0.5 + 0.5 * math.cos(math.pi * k / 12)) for k in range(12)])


def test_images_are_disturbed_and_mixed(tmp_path: Path) -> None:
    undisturbed: dict[str, object] = {"augmentation": dict.fromkeys(vars(Strength()), 0.0)}
    settings: dict[str, dict[str, object]] = {
        "plain": undisturbed,
        "disturbed": {},
        "mixed": {**undisturbed, "loss__mixup": 1.0},
    }
    runs = {name: trainer(small_config(**changes), tmp_path / name) for name, changes in settings.items()}
    batch = next(runs["plain"]._batches.epoch(0))
    own = runs["plain"].model.architecture.preprocess(batch.crops)
    seen = {name: run._images(batch) for name, run in runs.items()}
    torch.testing.assert_close(seen["plain"][0], own)
    assert (seen["disturbed"][0] - own).abs().mean() > 0.05
    mixed, mix = seen["mixed"]
    assert mix is not None
    # The first frame of the first clip, with the frame at the same share of its partner's length.
    partner = int(mix.partner[0])
    starts = batch.lengths.cumsum(0) - batch.lengths
    place = int(starts[partner] + batch.lengths[partner] // (2 * batch.lengths[0]))
    torch.testing.assert_close(mixed[0], mix.share * own[0] + (1 - mix.share) * own[place])
