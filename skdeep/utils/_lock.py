"""Files and folders that one process uses at a time."""

import contextlib
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def take_lock(file) -> bool:
    """Lock an open file until it is closed; return False if somebody else has locked it.

    The system releases the lock if the process is killed. On Windows, nothing is locked.
    """
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextlib.contextmanager
def locked(folder: Path, purpose: str):
    """Context manager that holds the lock of a folder.

    Parameters
    ----------
    folder : Path
    purpose : str
        For the error message: what needs the folder to itself.

    Raises
    ------
    RuntimeError
        If the lock is held already, by this process or another one.
    """
    with (folder / "lock").open("a+") as file:
        if not take_lock(file):
            file.seek(0)
            raise RuntimeError(
                f"{purpose} must have a folder to itself; {str(folder)!r} is in use by process "
                f"{file.read() or '(unknown)'}. Wait for it, or use another folder."
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
