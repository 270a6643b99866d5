"""Learning from a trained model: which ones can teach, and that it is the teacher who is followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqfer.errors import ModelError
from seqfer.evaluation.predictions import predict
from seqfer.labels import LabelSet
from seqfer.models.checkpoint import Provenance, load_checkpoint, save_checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.ensemble import ensemble_of
from seqfer.models.inference import Predictor
from seqfer.preprocess import Preprocess
from seqfer.training import teacher as teacher_module
from seqfer.training.batches import Batch, Batches
from seqfer.training.config import TeacherConfig, TrainConfig
from seqfer.training.loop import Trainer
from seqfer.training.objective import Mix
from seqfer.training.teacher import AskedOnce, Teacher, find_teacher
from tests.training.striped_clips import LABELS, SIZE, SMALL, small_config, split_of, striped_clips

CPU = torch.device("cpu")
CLIPS = striped_clips()


def network(
    labels: tuple[str, ...] = LABELS, size: int = SIZE, seed: int = 0, **others: Any
) -> SequenceClassifier:
    torch.manual_seed(seed)
    settings: dict[str, Any] = {"head": "mean", "encoder_settings": SMALL, **others}
    return SequenceClassifier(
        Architecture(labels=LabelSet(labels), preprocess=Preprocess(size, 1), **settings)
    ).eval()


def trainer(config: TrainConfig, folder: Path) -> Trainer:
    return Trainer(config, CLIPS, split_of(CLIPS, "train"), split_of(CLIPS, "validation"), folder, CPU)


def saved(model: SequenceClassifier, folder: Path) -> str:
    save_checkpoint(folder, model, Provenance())
    return str(folder)


def test_nobody_teaches_unless_settings_name_one() -> None:
    assert find_teacher(TeacherConfig(), network().architecture) is None


@pytest.mark.parametrize(
    ("teacher", "problem"),
    [
        (
            network(("sad", "angry", "happy")),
            "has other labels (sad, angry, happy) than the model (angry, happy, sad)",
        ),
        (network(size=24), "has other crops (Preprocess(size=24,"),
        (network(frame_rate=10.0), "has other frame rate (10.0) than the model (25.0)"),
    ],
    ids=["labels", "crops", "rate"],
)
def test_who_reads_something_else_cannot_teach(teacher: SequenceClassifier, problem: str, tmp_path: Path) -> None:
    name = saved(teacher, tmp_path / "teacher")
    with pytest.raises(ModelError) as error:
        find_teacher(TeacherConfig(name), network().architecture)
    assert str(error.value).startswith(f"teacher.model: {name!r} {problem}")


def test_a_teacher_must_read_the_middle_that_it_is_shown(tmp_path: Path) -> None:
    settings = {"widths": [8], "convolutions": [1], "flattened": SIZE // 2}
    tied = network(encoder="vgg", encoder_settings=settings)
    name = saved(tied, tmp_path / "teacher")
    with pytest.raises(ModelError, match=r"cannot read 12 pixels; let window\.side be 0, or ask it once"):
        find_teacher(TeacherConfig(name), tied.architecture, 12)
    for config, side in ((TeacherConfig(name), 0), (TeacherConfig(name, once=True), 12)):
        assert find_teacher(config, tied.architecture, side) is not None


def test_a_teacher_reads_as_it_does_alone_and_does_not_learn(tmp_path: Path) -> None:
    model = network(head="bilstm", head_settings={"width": 4, "dropout": 0.5})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images, lengths = torch.randn(5, 1, SIZE, SIZE), torch.tensor([3, 2])
    clips = torch.zeros(2, 3, 1, SIZE, SIZE)
    clips[0], clips[1, :2] = images[:3], images[3:]
    with torch.no_grad():
        alone = model(clips, lengths)
    batch = Batch(images, lengths, torch.tensor([0, 1]), torch.tensor([0, 1]), torch.zeros(2, 20), 0)
    said = Teacher(model, torch.float32, CPU).read(images, batch, None)
    torch.testing.assert_close(said.clip_logits, alone.clip_logits)
    torch.testing.assert_close(said.frame_logits, alone.frame_logits)
    assert not said.clip_logits.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_asked_once_it_says_of_clips_what_evaluate_says_and_of_mixtures_a_mixture() -> None:
    model, clips = network(head="bilstm", head_settings={"width": 4}), split_of(CLIPS, "train")
    for weight in model.head.get_submodule("context").parameters():
        torch.nn.init.normal_(weight)  # so that a clip is more than its frames
    known = torch.from_numpy(predict(Predictor(model, CPU), CLIPS, clips).probabilities).float()
    teacher, config = AskedOnce(model, CLIPS, clips, CPU), TrainConfig()
    truth = np.array([LABELS.index(clip.label) for clip in clips])
    batch = next(Batches(CLIPS, clips, truth, config.data, 25.0, 8, 0).epoch(0))
    assert len(set(batch.lengths.tolist())) > 1
    said = teacher.read(torch.zeros(0), batch, None)
    torch.testing.assert_close(said.clip_logits.exp(), known[batch.chosen])
    assert said.frame_logits.shape[1] == batch.lengths.max()
    assert all(torch.equal(said.frame_logits[:, t], said.clip_logits) for t in range(said.frame_logits.shape[1]))
    assert [clips[k].label for k in batch.chosen] == [LABELS[k] for k in batch.labels]

    mix = Mix(0.7, torch.arange(len(batch.lengths)).roll(1))
    mixed = teacher.read(torch.zeros(0), batch, mix).clip_logits.exp()
    torch.testing.assert_close(mixed, 0.7 * known[batch.chosen] + 0.3 * known[batch.chosen].roll(1, 0))


@pytest.mark.parametrize(
    ("ensemble", "once"),
    [(False, False), (True, False), (False, True)],
    ids=["one", "ensemble", "asked once"],
)
def test_a_pupil_takes_over_what_a_teacher_says_against_the_labels(
    ensemble: bool, once: bool, tmp_path: Path
) -> None:
    # A teacher that has learnt, and then calls every expression by the next one's name.
    list(trainer(small_config(epochs=8, model__head="mean", model__head_settings={}), tmp_path / "t").run())
    checkpoint = load_checkpoint(tmp_path / "t" / "best")
    with torch.no_grad():
        for weight in checkpoint.model.head.parameters():
            weight.copy_(weight.roll(1, 0))
    teacher = saved(checkpoint.model, tmp_path / "teacher")
    if ensemble:
        given = load_checkpoint(teacher)
        teacher = saved(ensemble_of([given, given])[0], tmp_path / "joined")

    lesson = {"model": teacher, "once": once, "share": 1.0, "temperature": 1.0}
    config = small_config(epochs=8, teacher=lesson, seed=1)
    pupil = trainer(config, tmp_path / "pupil")
    list(pupil.run())
    assert pupil.history[-1]["validation"]["uar"] < 0.2  # guessing is right more often
    training = load_checkpoint(tmp_path / "pupil" / "last").provenance.training
    assert training["teacher_sha256"] == load_checkpoint(teacher).sha256


def test_nobody_is_asked_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def predict_and_count(*given: Any) -> Any:
        asked.append(given)
        return predict(*given)

    monkeypatch.setattr(teacher_module, "predict", predict_and_count)
    config = small_config(teacher={"model": saved(network(), tmp_path / "teacher"), "once": True})
    run = trainer(config, tmp_path / "run")
    assert not asked
    list(run.run())
    assert len(asked) == 1
    list(trainer(config, tmp_path / "run").run())  # nothing is left to do
    assert len(asked) == 1


def test_a_run_goes_on_under_its_own_teacher_only_wherever_that_lies(tmp_path: Path) -> None:
    teacher = tmp_path / "teacher"
    config = small_config(teacher__model=saved(network(), teacher))
    run = trainer(config, tmp_path / "run").run()
    next(report for report in run if hasattr(report, "validation"))
    moved = saved(network(), tmp_path / "moved")
    assert len(trainer(small_config(teacher__model=moved), tmp_path / "run").history) == 1
    saved(network(seed=5), teacher)
    with pytest.raises(ModelError, match="begun with another teacher;"):
        trainer(config, tmp_path / "run")
