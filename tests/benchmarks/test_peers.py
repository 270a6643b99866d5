from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from peers import DeepFace, Fer, FerKeras, HSEmotion, Seqfer, in_order

from seqfer.errors import OptionError
from seqfer.labels import FER7

IMAGES = np.random.default_rng(0).integers(0, 256, (70, 48, 48)).astype(np.uint8)
FER_ORDER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
AFFECTNET_ORDER = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")


def certain_of(name: str, names: tuple[str, ...], count: int) -> NDArray[np.float32]:
    """Probabilities that give one expression 0.6 and share out the rest, in a package's own order."""
    scores = np.full((count, len(names)), 0.4 / (len(names) - 1), np.float32)
    scores[:, names.index(name)] = 0.6
    return scores


class TestOrder:
    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            ("Anger", "angry"),
            ("Disgust", "disgust"),
            ("Fear", "fear"),
            ("Happiness", "happy"),
            ("Sadness", "sad"),
            ("Surprise", "surprise"),
            ("Neutral", "neutral"),
        ],
    )
    def test_columns_go_by_their_names(self, theirs: str, ours: str) -> None:
        ordered = in_order(certain_of(theirs, AFFECTNET_ORDER, 3), AFFECTNET_ORDER)
        assert ordered.shape == (3, 7)
        assert (ordered.argmax(1) == FER7.index(ours)).all()

    def test_what_fer2013_does_not_know_is_left_out_and_the_rest_sums_to_one(self) -> None:
        ordered = in_order(certain_of("Contempt", AFFECTNET_ORDER, 2), AFFECTNET_ORDER)
        assert ordered == pytest.approx(np.full((2, 7), 1 / 7))

    def test_a_lacking_expression_is_named(self) -> None:
        with pytest.raises(OptionError, match="it lacks neutral"):
            in_order(np.ones((1, 6)), FER_ORDER[:6])

    def test_names_and_columns_must_be_as_many(self) -> None:
        with pytest.raises(OptionError, match="8 columns, but 7 names"):
            in_order(np.ones((1, 8)), FER_ORDER)

    def test_a_row_of_zeros_stays_finite(self) -> None:
        assert np.isfinite(in_order(np.zeros((1, 7)), FER_ORDER)).all()


def give_modules(monkeypatch: pytest.MonkeyPatch, **modules: Any) -> None:
    """Let `import_module` find stand-ins of packages that need not be here; dots in names are written `__`."""
    import sys

    for name, content in modules.items():
        module = ModuleType(name.replace("__", "."))
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, module.__name__, module)


class FakeFer:
    """Stands for `fer.fer.FER`: surest of happy, and remembers what it was given."""

    given: NDArray[np.float32]

    def __init__(self, use_tflite: bool) -> None:
        self.use_tflite = use_tflite

    @staticmethod
    def _get_labels() -> dict[int, str]:
        return dict(enumerate(FER_ORDER))

    def _classify_emotions(self, faces: NDArray[np.float32]) -> NDArray[np.float32]:
        FakeFer.given = faces
        return certain_of("happy", FER_ORDER, len(faces))


@pytest.mark.parametrize(
    ("contender", "shape", "file"),
    [(Fer(), (70, 64, 64), 20), (FerKeras(), (70, 64, 64, 1), 30)],
    ids=["lite", "keras"],
)
def test_fer_is_given_faces_as_it_gives_them_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, contender: Fer, shape: tuple[int, ...], file: int
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "emotion_model_quantized.tflite").write_bytes(bytes(20))
    (tmp_path / "data" / "emotion_model.hdf5").write_bytes(bytes(30))
    network = SimpleNamespace(count_params=lambda: 123)
    keras = SimpleNamespace(models=SimpleNamespace(load_model=lambda path, **options: network))
    give_modules(monkeypatch, fer={}, fer__fer={"FER": FakeFer}, tensorflow={"keras": keras})
    monkeypatch.setattr("peers.files", lambda package: tmp_path)
    contender.load()
    probabilities = contender.probabilities(IMAGES)
    assert (probabilities.argmax(1) == FER7.index("happy")).all()
    assert FakeFer.given.shape == shape
    assert FakeFer.given.dtype == np.float32
    assert -1 <= FakeFer.given.min() < 0 < FakeFer.given.max() <= 1
    assert (contender.parameters, contender.file_bytes) == (123, file)


def test_deepface_takes_many_faces_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = []

    class Client:
        model = SimpleNamespace(count_params=lambda: 5)

        def predict(self, faces: list[NDArray[np.float64]]) -> NDArray[np.float32]:
            batches.append(len(faces))
            scores = certain_of("sad", FER_ORDER, len(faces))
            return scores[0] if len(faces) == 1 else scores

    def resize(image: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
        assert image.shape == (48, 48, 3)
        assert image.max() <= 1
        return np.zeros((1, *size, 3))

    give_modules(
        monkeypatch,
        deepface={},
        deepface__modules={},
        deepface__modules__modeling={"build_model": lambda task, name: Client()},
        deepface__modules__preprocessing={"resize_image": resize},
        deepface__modules__demography={"EMOTION_LABELS": list(FER_ORDER)},
    )
    contender = DeepFace()
    contender.load()
    probabilities = contender.probabilities(IMAGES[:65])
    assert probabilities.shape == (65, 7)
    assert (probabilities.argmax(1) == FER7.index("sad")).all()
    assert batches == [64, 1]
    assert contender.parameters == 5


def test_hsemotion_leaves_contempt_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    weights = tmp_path / "model.onnx"
    weights.write_bytes(bytes(40))

    class Recognizer:
        idx_to_class: dict[int, str] = dict(enumerate(AFFECTNET_ORDER))  # noqa: RUF012 - as the package has it

        def __init__(self, model_name: str) -> None:
            self.ort_session: object = None

        def predict_multi_emotions(
            self, faces: list[NDArray[np.uint8]], logits: bool
        ) -> tuple[list[str], NDArray[np.float32]]:
            assert not logits
            assert faces[0].shape == (48, 48, 3)
            return [], certain_of("Neutral", AFFECTNET_ORDER, len(faces))

    graph = SimpleNamespace(initializer=[SimpleNamespace(dims=[2, 3]), SimpleNamespace(dims=[4])])
    give_modules(
        monkeypatch,
        hsemotion_onnx={},
        hsemotion_onnx__facial_emotions={
            "HSEmotionRecognizer": Recognizer,
            "get_model_path": lambda name: weights,
        },
        onnx={"load": lambda path: SimpleNamespace(graph=graph)},
        onnxruntime={"SessionOptions": SimpleNamespace, "InferenceSession": lambda *a, **k: "session"},
    )
    contender = HSEmotion()
    contender.load()
    probabilities = contender.probabilities(IMAGES)
    assert probabilities.shape == (70, 7)
    assert (probabilities.argmax(1) == FER7.index("neutral")).all()
    assert probabilities.sum(1) == pytest.approx(np.ones(70))
    assert (contender.parameters, contender.file_bytes) == (10, 40)


def test_a_bundled_model_reads_stills_whole() -> None:
    import torch

    from seqfer.models.bundled import load_model
    from seqfer.models.inference import Predictor, read_crops

    contender = Seqfer("compact", "float32")
    assert contender.missing() == []
    contender.load()
    predictor = Predictor(load_model("compact").model, torch.device("cpu"), "float32")
    expected = read_crops(predictor, IMAGES[..., None])
    assert contender.probabilities(IMAGES) == pytest.approx(expected, abs=1e-6)
    assert contender.parameters
    assert contender.parameters > 1_000_000
    assert "PublicTest" in contender.learnt_from


def test_what_is_missing_is_named() -> None:
    contender = Seqfer("compact", "float32")
    contender.needs = ("numpy", "no_such_module")
    assert contender.missing() == ["no_such_module"]
