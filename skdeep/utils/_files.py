"""Files that are written whole or not at all."""

import contextlib
import os
import uuid
from pathlib import Path


def write_atomically(path: Path, data) -> None:
    """Write a file so that it has either its old or its new content, even after a power cut.

    Parameters
    ----------
    path : Path
    data : bytes-like
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make new and renamed files of a folder permanent; systems other than Windows need this."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
