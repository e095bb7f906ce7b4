"""Damaged and hostile variants of a file of ``skdeep.persistence.save``."""

import hashlib
import io
import json
import pickle
import struct
import zipfile

import numpy as np

#: What a hostile file tries to call; the argument is a command or an expression.
CALLABLES = (
    ("posix", "system"),
    ("os", "system"),
    ("os", "popen"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "open"),
    ("builtins", "__import__"),
    ("builtins", "map"),
    ("builtins", "getattr"),
    ("subprocess", "check_output"),
    ("runpy", "run_path"),
    ("pickle", "loads"),
    ("joblib", "load"),
    ("torch", "load"),
    ("numpy", "load"),
    ("shutil", "rmtree"),
    ("functools", "partial"),
    ("operator", "methodcaller"),
    ("skdeep.persistence", "load"),
    ("skdeep.utils._files", "write_atomically"),
    ("skdeep._training._net", "make_net"),
    ("skdeep._training._net", "TrainingNet"),
    ("sklearn.datasets", "fetch_openml"),
    ("sklearn.utils.fixes", "threadpool_info"),
    ("sklearn.base", "clone"),
)
NODES = (
    "FunctionNode",
    "TypeNode",
    "ObjectNode",
    "ListNode",
    "SetNode",
    "TupleNode",
    "DictNode",
    "ConstructorFromReduceNode",
    "PartialNode",
    "MethodNode",
    "OperatorFuncNode",
    "NdArrayNode",
    "RandomStateNode",
    "DefaultDictNode",
    "LossNode",
    "CachedNode",
)


class Members:
    """Members of a file, to be changed and written again with correct checksums."""

    def __init__(self, data):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            self.parts = {name: archive.read(name) for name in archive.namelist()}
        self.manifest = json.loads(self.parts.pop("manifest.json"))
        self.schema = json.loads(self.parts.pop("schema.json"))

    def arrays(self):
        return sorted(name for name in self.parts if name.endswith(".npy"))

    def bytes(self, compression=zipfile.ZIP_STORED, more=(), schema=None):
        """Bytes of the file, with checksums of what it contains now."""
        text = json.dumps(self.schema) if schema is None else schema
        parts = {**self.parts, "schema.json": text.encode(), **dict(more)}
        root = self.schema
        self.manifest["class"] = f"{root['__module__']}.{root['__class__']}"
        self.manifest["members"] = {
            name: hashlib.sha256(data).hexdigest() for name, data in parts.items()
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as archive:
            archive.writestr("manifest.json", json.dumps(self.manifest))
            for name, data in parts.items():
                archive.writestr(name, data)
        return buffer.getvalue()

    def state(self):
        """Content of the root object: nodes by attribute."""
        return self.schema["content"]["content"]

    def fitted(self):
        """Content of the state of the net: nodes by name."""
        return self.state()["_fitted_state"]["content"]


# Damage -------------------------------------------------------------------------------------


def damage(data, kind, rng):
    """Return the file with random damage, whose checksums are not corrected."""
    return _DAMAGES[kind](bytearray(data), rng)


def _flip(data, rng):
    for place in rng.integers(len(data), size=rng.integers(1, 4)):
        data[place] ^= 1 << rng.integers(8)
    return bytes(data)


def _overwrite(data, rng):
    start, length = rng.integers(len(data)), rng.integers(1, 500)
    data[start : start + length] = rng.bytes(len(data[start : start + length]))
    return bytes(data)


def _truncate(data, rng):
    return bytes(data[: rng.integers(len(data))])


def _cut_out(data, rng):
    start = rng.integers(len(data))
    del data[start : start + rng.integers(1, 500)]
    return bytes(data)


def _rewrite(data, change):
    """Write the members again after a change, with the old manifest."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return buffer.getvalue()


def _swap(data, rng):
    def change(parts):
        one, other = rng.choice(sorted(parts), 2, replace=False)
        parts[one], parts[other] = parts[other], parts[one]

    return _rewrite(data, change)


def _drop(data, rng):
    return _rewrite(data, lambda parts: parts.pop(rng.choice(sorted(parts))))


def _edit_manifest(data, rng):
    def change(parts):
        manifest = json.loads(parts["manifest.json"])
        name = rng.choice(["format", "versions", "class", "members", "parameters"])
        values = [None, 7, -1, "0", [], {}, {"skdeep": "99.0"}, "sklearn.decomposition.PCA"]
        value = values[rng.integers(len(values))]
        if value is None:
            del manifest[name]
        else:
            manifest[name] = value
        parts["manifest.json"] = json.dumps(manifest).encode()

    return _rewrite(data, change)


_DAMAGES = {
    "bits flipped": _flip,
    "bytes overwritten": _overwrite,
    "truncated": _truncate,
    "bytes cut out": _cut_out,
    "members swapped": _swap,
    "member missing": _drop,
    "manifest edited": _edit_manifest,
}
DAMAGES = tuple(_DAMAGES)


# Attacks ------------------------------------------------------------------------------------


def attack(data, kind, rng, command):
    """Return a hostile file, with correct checksums, that tries to run a shell command."""
    return _ATTACKS[kind](Members(data), rng, command)


class Payload:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        import os

        return os.system, (self.command,)


def json_node(value):
    text = json.dumps(value)
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": text,
        "is_json": True,
    }


def _list_node(values, loader="ListNode"):
    name = {"ListNode": "list", "TupleNode": "tuple"}[loader]
    content = [value if isinstance(value, dict) else json_node(value) for value in values]
    return {
        "__class__": name,
        "__module__": "builtins",
        "__loader__": loader,
        "content": content,
    }


def _place(members, rng, node):
    """Put a node in a random place of the object."""
    place = rng.choice(["state", "fitted", "root", "key"])
    if place == "root":
        members.schema |= node
    elif place == "key":
        members.schema["content"]["key_types"]["content"][0] = node
    else:
        nodes = members.state() if place == "state" else members.fitted()
        nodes[rng.choice(sorted(nodes))] = node
    return members.bytes()


def _call(members, rng, command):
    module, name = CALLABLES[rng.integers(len(CALLABLES))]
    loader = NODES[rng.integers(len(NODES))]
    node = {"__module__": module, "__class__": name, "__loader__": loader}
    arguments = _list_node([command], "TupleNode")
    function = {**node, "__loader__": "FunctionNode"}
    empty = {**_list_node([]), "__class__": "dict", "__loader__": "DictNode", "content": {}}
    empty["key_types"] = _list_node([])
    contents = {
        "PartialNode": {"func": function, "args": arguments, "kwds": empty, "namespace": empty},
        "MethodNode": {"func": "__init__", "obj": {**function, "__loader__": "ObjectNode"}},
        "DictNode": {command: json_node(command)},
        "DefaultDictNode": {"main": empty, "default_factory": function},
        "ListNode": arguments["content"],
        "TupleNode": arguments["content"],
        "SetNode": arguments["content"],
    }
    node["content"] = contents.get(loader, arguments)
    node["key_types"] = _list_node([function])
    node["attrs"] = arguments
    node |= {"__reduce__": {"args": arguments}, "type": "numpy", "file": members.arrays()[0]}
    if rng.random() < 0.5:
        node["__id__"] = int(rng.integers(1, 2**40))
    return _place(members, rng, node)


def _misuse(members, rng, command):
    """Use a trusted class as a function."""
    own = {key: members.schema[key] for key in ("__module__", "__class__")}
    loader = rng.choice(
        ["ConstructorFromReduceNode", "ListNode", "SetNode", "TypeNode", "DictNode"]
    )
    node = {**own, "__loader__": str(loader), "content": [json_node(command)]}
    if loader == "ConstructorFromReduceNode":
        node["content"] = _list_node([command], "TupleNode")
    if loader == "DictNode":
        node |= {"content": {command: json_node(1)}, "key_types": _list_node([own])}
    return _place(members, rng, node)


def _pickle_inside(members, rng, command):
    array = np.empty(2, dtype=object)
    array[:] = Payload(command)
    buffer, name = io.BytesIO(), rng.choice(members.arrays())
    way = rng.integers(5)
    if way == 0:
        np.save(buffer, array, allow_pickle=True)
        members.parts[name] = buffer.getvalue()
    elif way == 1:
        np.savez(buffer, data=array, format=np.array(b"csr"))
        members.parts["matrix.npz"] = buffer.getvalue()
        node = {"__module__": "scipy.sparse", "__class__": "csr_matrix", "type": "scipy"}
        return _place(
            members, rng, {**node, "__loader__": "SparseMatrixNode", "file": "matrix.npz"}
        )
    elif way == 2:
        members.parts["data.pkl"] = pickle.dumps(Payload(command))
    elif way == 3:
        members.parts[name] = pickle.dumps(Payload(command))
    else:
        return pickle.dumps(Payload(command))
    return members.bytes()


def _traverse(members, rng, command):
    target = str(rng.choice(["../", "/", "../../../", "a/../../", "..\\", "C:\\"])) + "etc.npy"
    if rng.random() < 0.5:
        return members.bytes(more={target: members.parts[members.arrays()[0]]})
    node = {"__module__": "numpy", "__class__": "ndarray", "__loader__": "NdArrayNode"}
    return _place(members, rng, {**node, "type": "numpy", "file": target})


def _bomb(members, rng, command):
    name, way = rng.choice(members.arrays()), rng.integers(4)
    if way == 0:  # compressed
        buffer = io.BytesIO()
        np.save(buffer, np.zeros(2**22))
        members.parts[name] = buffer.getvalue()
        return members.bytes(zipfile.ZIP_DEFLATED)
    if way == 1:  # compressed inside
        buffer = io.BytesIO()
        np.savez_compressed(buffer, data=np.zeros(2**22), format=np.array(b"csr"))
        return members.bytes(more={"matrix.npz": buffer.getvalue()})
    data = bytearray(members.bytes())
    entries = [at for at in range(len(data) - 46) if data[at : at + 4] == b"PK\x01\x02"]
    entry = int(rng.choice(entries))
    if way == 2:  # declared as larger than the file
        size = int(rng.integers(len(data), 2**32 - 2))
        data[entry + 20 : entry + 28] = struct.pack("<II", size, size)
    else:  # members that share their bytes
        for one in entries:
            data[one + 42 : one + 46] = data[entry + 42 : entry + 46]
    return bytes(data)


def _huge_array(members, rng, command):
    shapes = [(10**12,), (2**62, 2**62), (-1,), (0, 10**12), (2**31, 8), (10**18,), (1,) * 70]
    dtypes = ["<f4", "<f8", "|V0", "<U0", "<U1000000", "|b1"]
    header = {
        "descr": dtypes[rng.integers(len(dtypes))],
        "fortran_order": bool(rng.integers(2)),
        "shape": shapes[rng.integers(len(shapes))],
    }
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, header)
    members.parts[rng.choice(members.arrays())] = buffer.getvalue() + rng.bytes(16)
    return members.bytes()


def _huge_net(members, rng, command):
    """Change numbers of the description of the net."""
    nodes = members.fitted()["architecture"]["content"]
    names = [name for name in nodes if _is_number(nodes[name])]
    for name in rng.choice(names, rng.integers(1, len(names) + 1), replace=False):
        nodes[name] = json_node(int(10 ** rng.integers(4, 19)))
    for name in ("hidden_layer_sizes", "widths", "sizes"):
        if name in nodes and rng.random() < 0.5:
            nodes[name] = _list_node([10**6, 10**6], "TupleNode")
    return members.bytes()


def _is_number(node):
    is_json = node["__loader__"] == "JsonNode"
    return is_json and isinstance(json.loads(node["content"]), int | float)


def _recursion(members, rng, command):
    way = rng.integers(4)
    if way == 0:  # deep
        depth = int(rng.integers(1000, 10**5))
        kind = '{"__module__":"builtins","__class__":"list","__loader__":"ListNode","content":['
        start = json.dumps(members.schema)
        inner = kind * depth + "]}" * depth
        return members.bytes(schema=start[:-1] + ',"more":' + inner + "}")
    node = _list_node([])
    if way == 1:  # contains itself
        node["__id__"] = members.schema["__id__"]
        nodes = members.state()
        nodes[rng.choice(sorted(nodes))] = node
        return members.bytes()
    for number in range(1, int(rng.integers(20, 60))):  # doubles each time
        node["__id__"] = number
        node = _list_node([node, {**_list_node([]), "__id__": number}])
    if way == 2:
        node = {
            "__module__": "numpy",
            "__class__": "ndarray",
            "__loader__": "NdArrayNode",
            "type": "json",
            "content": [node, node],
            "shape": _list_node([2, 2], "TupleNode"),
        }
    return _place(members, rng, node)


def _unknown(members, rng, command):
    way = rng.integers(4)
    if way == 0:
        protocols = [-1, 99, True, "2", None, 1e300, [2], 0, 1]
        members.schema["protocol"] = protocols[rng.integers(len(protocols))]
        if members.schema["protocol"] in (0, 1):  # as old nodes check less
            return _call(members, rng, command)
        return members.bytes()
    kinds = ["decimal.Decimal", "pathlib.PosixPath", "io.FileIO", "ctypes.CDLL", "threading.Thread"]
    kinds += ["skdeep._fit.Fit", "skorch.net.NeuralNet", "torch.nn.modules.linear.Linear"]
    kinds += ["sklearn.tree._tree.Tree", "sklearn.neighbors._kd_tree.KDTree", "a.b", "..c", ""]
    module, _, name = str(rng.choice(kinds)).rpartition(".")
    loader = "ObjectNode" if way < 3 else str(rng.choice(["NoNode", "TreeNode", "Node", ""]))
    node = {"__module__": module, "__class__": name, "__loader__": loader}
    return _place(members, rng, {**node, "content": _list_node([command])})


def _bad_state(members, rng, command):
    """Change values of the state of a net that are looked up by name."""
    fitted, state = members.fitted(), members.state()
    names = ["torch.optim.lr_scheduler", "torch.optim.os", "torch.optim.__builtins__", command]
    names += ["torch.optim.Optimizer.register_optimizer_step_pre_hook", "torch.optim.sgd", "x.y"]
    options = fitted["net_options"]["content"]
    text = json_node(str(rng.choice(names)))
    for nodes in (options, state):
        if "optimizer" in nodes:
            nodes["optimizer"] = text
    if rng.random() < 0.5:
        more = ["module__x", "optimizer__lr", "callbacks__print_log", "train_split", "dataset"]
        options[str(rng.choice(more))] = text
        kind = {"__class__": "str", "__module__": "builtins", "__loader__": "TypeNode"}
        fitted["net_options"]["key_types"]["content"].append(kind)
    if rng.random() < 0.3:
        fitted["scaler"]["content"]["kind"] = text
    return members.bytes()


_ATTACKS = {
    "calls a function": _call,
    "calls a trusted class": _misuse,
    "pickle inside": _pickle_inside,
    "path traversal": _traverse,
    "zip bomb": _bomb,
    "huge array": _huge_array,
    "huge net": _huge_net,
    "recursion": _recursion,
    "unknown type or protocol": _unknown,
    "state of a net": _bad_state,
}
ATTACKS = tuple(_ATTACKS)
