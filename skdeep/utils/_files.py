"""Files that are written whole or not at all."""

import contextlib
import errno
import os
import uuid
from pathlib import Path

# End of the names of files that are not finished.
_UNFINISHED = ".skdeep-part"


def write_atomically(path: Path, data) -> None:
    """Write a file so that it has either its old or its new content, even after a power cut.

    Parameters
    ----------
    path : Path
    data : bytes-like
    """
    part = _part_of(path)
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


def check_can_be_written(path: Path) -> None:
    """Raise ``OSError`` if a file could not be written, before time is spent on its content."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    part = _part_of(path)
    part.open("xb").close()
    part.unlink()


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}{_UNFINISHED}")


def remove_unfinished(folder: Path) -> None:
    """Remove files that killed processes have not finished; nobody may be writing to the folder."""
    for path in folder.glob(f".*{_UNFINISHED}"):
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make new and renamed files of a folder permanent; systems other than Windows need this."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
