"""What names a video's content: a digest of its file, or of a folder's pictures in order."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from pathlib import Path

from seqfer.errors import VideoError
from seqfer.files import sha256_of
from seqfer.video.stills import numbered_pictures


def digest_of(path: Path, stop: threading.Event | None = None) -> str:
    """SHA-256 of a video file, or of the digests of a folder's pictures, as 64 hexadecimal digits.

    Pictures that cannot be read are left out, as they are from the frames.

    Args:
        path: a file, or a folder of numbered pictures.
        stop: when it is set, the rest is left unread and the digest means nothing.

    Raises:
        VideoError: the file or folder cannot be read.
    """
    try:
        if not path.is_dir():
            return sha256_of(path, stop)
        pictures = numbered_pictures(path) or ()
    except OSError as error:
        raise VideoError(path, f"cannot be read any more ({error.strerror})") from error
    digests = []
    for picture in pictures:
        with suppress(OSError):
            digests.append("" if picture is None else sha256_of(picture, stop))
    return hashlib.sha256("".join(digests).encode()).hexdigest()
