"""Landmarks of a face by MediaPipe's face mesh (Kartynnik et al., 2019), which ships in its wheel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqfer.faces.mediapipe import models_found, quiet_start
from seqfer.video.types import Image

POINTS = 468


class FaceMesh:
    """The points of the faces in pictures that have nothing to do with each other."""

    def __init__(self, most_faces: int = 1) -> None:
        with quiet_start(), models_found():
            from mediapipe.python.solutions.face_mesh import FaceMesh as Graph

            self._graph = Graph(static_image_mode=True, max_num_faces=most_faces)
            # The graph starts with its first picture, and announces it on stderr.
            self._graph.process(np.zeros((64, 64, 3), np.uint8))

    def find(self, image: Image) -> list[NDArray[np.float64]]:
        """(468, 2) x and y in pixels for each face of an image, numbered as MediaPipe numbers them."""
        height, width, _ = image.shape
        with quiet_start():  # it remarks on its first face
            faces = self._graph.process(np.ascontiguousarray(image)).multi_face_landmarks or ()
        return [np.array([(point.x * width, point.y * height) for point in face.landmark]) for face in faces]

    def close(self) -> None:
        self._graph.close()
