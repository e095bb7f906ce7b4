"""Checks of a file before anything is restored from it."""

import hashlib
import io
import json
import math
import re
import zipfile

import scipy.sparse as sp
from numpy.lib import format as npy

from skdeep.exceptions import PersistenceError

#: Member that describes the others.
MANIFEST = "manifest.json"
#: Member in which skops describes the object.
SCHEMA = "schema.json"

_NAME = re.compile(r"[A-Za-z0-9_-]+\.(json|npy|npz|bin)")
# Formats of skops before the first release of skdeep.
_OLDEST_PROTOCOL = 2
# Length of an array without elements, which takes no space in the file.
_LONGEST_EMPTY = 2**20
# Types of keys that skops cannot restore, because it calls the type with the key as text.
_UNSAFE_KEYS = {"NoneType", "bool", "bool_", "datetime64", "timedelta64"}


def refuse(what):
    """Raise ``PersistenceError`` for content that cannot come from ``save``."""
    raise PersistenceError(f"the file is damaged, or was not written by save: {what}.")


def read_members(data):
    """Read the members of an archive in which nothing is compressed.

    It cannot be larger in memory than on disk.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    members : dict of str to bytes
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        names = [info.filename for info in infos]
        if len(set(names)) < len(names):
            refuse("several members have the same name")
        for info in infos:
            if _NAME.fullmatch(info.filename) is None:
                refuse(f"{info.filename!r} is not the name of a member")
            if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                refuse(f"member {info.filename!r} is compressed")
        if sum(info.file_size for info in infos) > len(data):
            refuse("its members overlap")
        return {name: archive.read(name) for name in names}


def check_sums(members, manifest):
    """Compare members with the checksums of the manifest."""
    expected = manifest["members"]
    if expected.keys() != members.keys() - {MANIFEST}:
        refuse("its members are not those of its manifest")
    for name, checksum in expected.items():
        if checksum_of(members[name]) != checksum:
            refuse(f"member {name!r} does not match its checksum")


def checksum_of(data):
    """SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def check_arrays(members):
    """Check that arrays have the sizes that they declare, and contain no Python objects."""
    for name, data in members.items():
        if name.endswith(".npy"):
            _check_array(name, data)
        elif name.endswith(".npz"):
            for inner, part in read_members(data).items():
                _check_array(f"{name}/{inner}", part)
            matrix = sp.load_npz(io.BytesIO(data))
            if matrix.format in ("csr", "csc", "bsr"):
                matrix.check_format(full_check=True)  # its products read memory without checks


def _check_array(name, data):
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        refuse(f"array {name!r} is in an unknown format")
    shape, _, dtype = readers[version](stream)
    if dtype.hasobject:
        refuse(f"array {name!r} contains pickled objects")
    n_bytes = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or n_bytes != len(data) - stream.tell():
        refuse(f"array {name!r} does not have the size that it declares")
    if not n_bytes and max(shape, default=0) > _LONGEST_EMPTY:
        refuse(f"array {name!r} has too many elements")


def read_schema(data, allowed, trusted):
    """Read the description of the object and check it; return the full name of its class.

    Parameters
    ----------
    data : bytes
    allowed : dict of str to frozenset of str
        Result of ``trusted_names``.
    trusted : set of str
        Names that the user trusts.
    """
    schema = json.loads(data)
    if not isinstance(schema, dict) or not _is_node(schema):
        refuse("it does not describe an object")
    if not schema["protocol"] >= _OLDEST_PROTOCOL:
        refuse("it is written in an old format of skops")
    _SchemaWalk(allowed, trusted).size(schema)
    return f"{schema['__module__']}.{schema['__class__']}"


def check_keys(value):
    """Raise ``PersistenceError`` for a dictionary that skops would restore with other keys.

    Parameters
    ----------
    value : object
        JSON value of a description by skops, or a part of one.
    """
    if isinstance(value, dict):
        if value.get("__loader__") == "DictNode":
            kinds = [one["__class__"] for one in value["key_types"]["content"]]
            if len(kinds) != len(value["content"]) or not _UNSAFE_KEYS.isdisjoint(kinds):
                remedy = " Use 0 and 1 instead of booleans." if "bool" in kinds else ""
                raise PersistenceError(
                    "keys of a dictionary must be numbers or strings that differ as text; got "
                    f"{list(value['content'])} of types {kinds}.{remedy}"
                )
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            check_keys(part)


def _is_node(value):
    return isinstance(value.get("__loader__"), str)


class _SchemaWalk:
    """Counts the nodes of a description, and checks each of them.

    skops describes an object that is used several times in full each time, with the same id. Nodes
    with the same id but different sizes would be a structure that contains itself, or one that is
    small in the file and huge in memory.
    """

    def __init__(self, allowed, trusted):
        self.allowed, self.trusted = allowed, trusted
        self.sizes = {}
        self.open = set()

    def size(self, value):
        """Count the nodes of a JSON value, and check them."""
        if isinstance(value, list):
            return sum(map(self.size, value))
        if not isinstance(value, dict):
            return 0
        if not _is_node(value):
            return sum(map(self.size, value.values()))
        self._check_kind(value)
        number = value.get("__id__") or object()  # skops ignores an id of zero, too
        if number in self.open:
            refuse("an object contains itself")
        self.open.add(number)
        size = 1 + sum(map(self.size, value.values()))
        self.open.remove(number)
        if self.sizes.setdefault(number, size) != size:
            refuse("different objects have the same id")
        return size

    def _check_kind(self, node):
        """Raise an error if one of our names is used in a node of another kind."""
        name = f"{node['__module__']}.{node['__class__']}"
        kinds = {kind for kind, names in self.allowed.items() if name in names}
        if kinds and name not in self.trusted and node["__loader__"] not in kinds:
            refuse(f"{name!r} is used in the wrong way")
