"""Files of fitted estimators without pickle."""

import io
import json
import platform
import warnings
import zipfile
from importlib.metadata import version
from pathlib import Path

from sklearn.base import BaseEstimator

import skdeep
from skdeep.exceptions import PersistenceError
from skdeep.persistence._budget import AllocationLimit
from skdeep.persistence._checks import (
    MANIFEST,
    SCHEMA,
    check_arrays,
    check_keys,
    check_sums,
    checksum_of,
    read_members,
    read_schema,
    refuse,
)
from skdeep.persistence._requests import named_owners
from skdeep.persistence._trusted import path_of, trusted_names
from skdeep.utils._files import check_can_be_written, write_atomically

#: Number of the format, raised when files of the new format mean something else to older versions.
FORMAT = 1

_LIBRARIES = ("scikit-learn", "torch", "numpy", "scipy", "skorch", "skops")


def save(estimator, path):
    """Save an estimator, fitted or not, to a file without pickle.

    The file is replaced as a whole: if saving fails or the process is killed, the old one remains.

    Parameters
    ----------
    estimator : estimator
        An estimator of skdeep or scikit-learn, such as a Pipeline.
    path : str or Path
        File to write.

    Raises
    ------
    PersistenceError
        If the estimator contains an object that cannot be saved, such as a lambda, or a dictionary
        whose keys are neither numbers nor strings.
    ImportError
        If skops is not installed.

    See Also
    --------
    load : Load such a file.

    Notes
    -----
    The file is a zip archive that skops [1]_ can read, and nothing in it is compressed. Its member
    ``manifest.json`` contains the number of the format, the versions of skdeep and of other
    libraries, the class and the parameters as text, and the SHA-256 checksums of all other members.

    The state of the optimizer is saved if training is expected to continue, as in a pickle.
    Parameters of skdeep's estimators that are an index or a series become lists. Metadata requests
    are saved, too.

    References
    ----------
    .. [1] https://skops.readthedocs.io

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from skdeep.decomposition import Autoencoder
    >>> from skdeep.persistence import load, save
    >>> X = np.random.default_rng(0).random((20, 4))
    >>> ae = Autoencoder(2, max_epochs=1, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "model.skdeep"
    ...     save(ae, path)
    ...     same = load(path)
    >>> (same.transform(X) == ae.transform(X)).all()
    np.True_
    """
    skops_io = _import_skops("save")
    if not isinstance(estimator, BaseEstimator):
        raise TypeError(f"estimator must be a scikit-learn estimator; got {type(estimator)!r}.")
    check_can_be_written(Path(path))
    try:
        with named_owners(estimator):
            dumped = skops_io.dumps(estimator)
    except (TypeError, ValueError, RecursionError) as error:
        raise PersistenceError(
            f"{type(estimator).__name__} cannot be saved without pickle: {error}"
        ) from error
    with zipfile.ZipFile(io.BytesIO(dumped)) as archive:
        members = {name: _stored(name, archive.read(name)) for name in archive.namelist()}
    _check_names(skops_io.get_untrusted_types(data=dumped))
    check_keys(json.loads(members[SCHEMA]))
    manifest = _make_manifest(estimator, members)
    text = json.dumps(manifest, indent=1).encode()
    write_atomically(Path(path), _archive({MANIFEST: text, **members}))


def load(path, *, trusted=None):
    """Load an estimator from a file that ``save`` wrote.

    No code from the file is executed. Before anything is restored, the checksums, the sizes and the
    types of everything in the file are checked. The checksums reveal damage, but not that somebody
    has replaced the file by another model.

    Parameters
    ----------
    path : str or Path
        File to read.
    trusted : list of str or type, default=None
        Types and functions that the file may contain, in addition to those of skdeep and
        scikit-learn, as in ``skops.io.load``: classes themselves or their full names. Restoring an
        object of such a type may execute code of that type with values from the file.

    Returns
    -------
    estimator : estimator
        With the same outputs, bit for bit on the same machine.

    Raises
    ------
    PersistenceError
        If the file is damaged, was not written by ``save``, was written by a newer version, or
        contains types that are not trusted, which the message names.
    ImportError
        If skops is not installed.

    Warns
    -----
    InconsistentVersionWarning
        If an estimator of scikit-learn was saved with another version of scikit-learn.
    DeviceUnavailableWarning
        If the estimator was trained on a device that this machine does not have.

    See Also
    --------
    save : Write such a file.

    Notes
    -----
    Trusted are the estimators of skdeep; the estimators, splitters and named scorers of
    scikit-learn, and its score functions for feature selection; ufuncs, arrays, sparse matrices and
    random generators of NumPy and SciPy; and Python's own containers and numbers. No other
    functions are trusted, not even those of skdeep. The trees and neighbor search trees of
    scikit-learn are not trusted, since a manipulated one can crash the process.
    """
    skops_io = _import_skops("load")
    trusted = _names_of(trusted)
    path = Path(path)
    data = path.read_bytes()
    try:
        return _restore(skops_io, data, trusted)
    except PersistenceError as error:
        raise PersistenceError(f"Cannot load {str(path)!r}: {error}") from error.__cause__
    except Exception as error:
        raise PersistenceError(
            f"Cannot load {str(path)!r}: the file is damaged, or was not written by save: "
            f"{type(error).__name__}: {error}"
        ) from error


def _names_of(trusted):
    """Return the full names of types and functions that are given by name or by themselves."""
    things = [trusted] if isinstance(trusted, str) or callable(trusted) else trusted
    try:
        return {one if isinstance(one, str) else path_of(one) for one in things or ()}
    except (AttributeError, TypeError) as error:
        raise TypeError(
            f"trusted must be a list of types, of functions or of their names; got {trusted!r}."
        ) from error


def _import_skops(name):
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(f"{name} requires skops: pip install skdeep[safe].") from error
    return skops.io


def _restore(skops_io, data, trusted):
    """Check the content of a file, and restore the estimator."""
    members = read_members(data)
    manifest = json.loads(members[MANIFEST])
    _check_version(manifest)
    check_sums(members, manifest)
    check_arrays(members)
    allowed = trusted_names()
    if read_schema(members[SCHEMA], allowed, trusted) != manifest["class"]:
        refuse("its class is not that of its manifest")
    ours = set().union(*allowed.values())
    untrusted = set(skops_io.get_untrusted_types(data=data)) - ours - trusted
    if untrusted:
        raise PersistenceError(
            f"the file contains types that are not trusted: {sorted(untrusted)}. If you trust them "
            "and the source of the file, pass them as trusted=[...]."
        )
    with AllocationLimit(len(data)):
        return skops_io.loads(data, trusted=sorted(ours | trusted))


def _make_manifest(estimator, members):
    versions = {"skdeep": skdeep.__version__, "python": platform.python_version()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a user's repr
        parameters = repr(estimator)
    return {
        "format": FORMAT,
        "versions": versions | {name: version(name) for name in _LIBRARIES},
        "class": path_of(type(estimator)),
        "parameters": parameters,
        "members": {name: checksum_of(data) for name, data in members.items()},
    }


def _check_version(manifest):
    """Raise ``PersistenceError`` if a file was written by a newer version of skdeep."""
    number, written_by = manifest["format"], manifest["versions"]["skdeep"]
    if number > FORMAT or _release(written_by) > _release(skdeep.__version__):
        raise PersistenceError(
            f"the file was written by skdeep {written_by}, in format {number}; this is skdeep "
            f"{skdeep.__version__}, which reads formats up to {FORMAT}. Upgrade skdeep."
        )
    if number < 1:
        refuse(f"its format is {number}")


def _release(text):
    """Version as a tuple, without suffixes such as ``.dev0``."""
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def _check_names(names):
    """Raise ``PersistenceError`` for objects that no file can refer to by name."""
    local = [name for name in names if "<" in name]
    if local:
        raise PersistenceError(
            "functions and classes must be at the top level of a module to be saved; got "
            f"{local}. Define them there."
        )


def _stored(name, data):
    """Return a member without compression and superfluous blanks."""
    if name.endswith(".npz"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _archive({inner: archive.read(inner) for inner in archive.namelist()})
    if name == SCHEMA:
        return json.dumps(json.loads(data), separators=(",", ":")).encode()
    return data


def _archive(members):
    """Return a zip archive in which nothing is compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()
