"""A folder that one fit uses at a time."""

import contextlib
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def locked(folder: Path, purpose: str):
    """Context manager that holds the lock of a folder; the system releases it if we are killed.

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
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise RuntimeError(
                    f"{purpose} must have a folder to itself; {str(folder)!r} is in use by process "
                    f"{file.read() or '(unknown)'}. Wait for it, or use another folder."
                ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
