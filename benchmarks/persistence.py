"""Does ``load`` refuse every damaged and hostile file, and how large and how fast are good ones?

Files of ``skdeep.persistence.save`` are changed at random, loaded, and if that succeeds, used:

- damage: flipped and overwritten bits, truncation, swapped and missing members, an edited manifest.
  Such a file is refused, or loads the same model if the change does not concern it;
- attacks, with correct checksums: functions, trusted classes used as functions, pickles, paths out
  of the archive, zip bombs, huge arrays and nets, recursion, unknown types and protocols, and names
  in the state of a net. Such a file is refused, or loads a model, which may be another one: anybody
  who can write the file can also write another model. No code is run.

``executed`` counts files whose command was run, or during whose loading Python's audit events
report a pickle, a new process, or a file opened for writing. The last tables show the memory and
the time of good files, and models that were trained on a GPU that the machine does not have.

    python benchmarks/persistence.py
    python benchmarks/persistence.py --smoke
"""

import resource
import sys
import tempfile
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
from _attacks import ATTACKS, DAMAGES, Members, attack, damage, json_node
from _harness import Report, make_parser, median, parse, verdict

from skdeep.cluster import DeepEmbeddedClustering
from skdeep.decomposition import Autoencoder
from skdeep.exceptions import DeviceUnavailableWarning, PersistenceError
from skdeep.generative import GANSampler
from skdeep.neural_network import ResNetClassifier
from skdeep.persistence import load, save

X = np.random.default_rng(0).normal(size=(60, 6))
Y = np.arange(60) % 2
_EVENTS = {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class"}


class Watch:
    """Audit hook that counts events which loading must not cause."""

    def __init__(self):
        self.is_on, self.count = False, 0
        sys.addaudithook(self._see)

    def _see(self, event, arguments):
        if not self.is_on:
            return
        writes = (
            event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        )
        self.count += event in _EVENTS or bool(writes)


def models():
    """Fitted estimators of several families."""
    small = {"max_epochs": 2, "random_state": 0, "device": "cpu"}
    return [
        Autoencoder(2, hidden_layer_sizes=(16,), **small).fit(X),
        ResNetClassifier(width=8, n_blocks=1, **small).fit(X, Y),
        GANSampler(latent_dim=3, hidden_layer_sizes=(8,), **small).fit(X, Y),
        DeepEmbeddedClustering(2, pretrain_epochs=2, **small).fit(X),
    ]


def output(model):
    if hasattr(model, "sample"):
        return model.sample(5, random_state=0)[0]
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.transform(X)


def outcome(path, model, watch, marker):
    """Load a file; return what happened."""
    before = watch.count
    watch.is_on = True
    try:
        loaded = load(path)
    except PersistenceError:
        result = "refused"
    else:
        watch.is_on = False
        result = "equal" if _is_equal(loaded, model) else "other"
    finally:
        watch.is_on = False
    if watch.count > before or marker.exists():
        marker.unlink(missing_ok=True)
        return "executed"
    return result


def _is_equal(loaded, model):
    try:
        return np.array_equal(output(loaded), output(model))
    except Exception:  # a changed model may be unusable
        return False


def count_outcomes(kinds, change, bases, number, folder, watch):
    """Rows of the table: how many files of each kind are refused, loaded or executed."""
    rows, path, marker = [], folder / "changed.skdeep", folder / "executed"
    for place, kind in enumerate(kinds):
        counts = dict.fromkeys(("refused", "equal", "other", "executed"), 0)
        n_files = len(range(place, number, len(kinds)))
        start = time.perf_counter()
        for seed in range(n_files):
            data, model = bases[seed % len(bases)]
            path.write_bytes(change(data, kind, np.random.default_rng([place, seed]), marker))
            counts[outcome(path, model, watch, marker)] += 1
        seconds = (time.perf_counter() - start) / max(1, n_files)
        rows.append({"kind": kind, "files": n_files, **counts, "s per file": seconds})
    return rows


def peak_memory():
    """Largest resident memory of the process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cost_rows(bases, folder, rounds):
    """Rows of the table: size, memory and time of good files."""
    rows, path = [], folder / "good.skdeep"
    large = Autoencoder(32, hidden_layer_sizes=(1000, 1000), max_epochs=1, random_state=0).fit(
        np.random.default_rng(0).normal(size=(64, 500))
    )
    save(large, path)
    for data, model in [*bases, (path.read_bytes(), large)]:
        path.write_bytes(data)
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            load(path)
            times.append(time.perf_counter() - start)
        tracemalloc.start()
        loaded = load(path)
        size, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        weights = sum(4 * value.numel() for value in loaded.module_.state_dict().values())
        row = {"model": type(model).__name__, "weights MB": weights / 1e6}
        row |= {"file MB": len(data) / 1e6, "Python and NumPy, kept MB": size / 1e6}
        row |= {"peak MB": peak / 1e6, "load s": median(times), **verdict(0.0)}
        rows.append(row)
    return rows


def missing_gpu_rows(bases, folder):
    """Rows of the table: files whose models were trained on a GPU that does not exist here."""
    rows, path = [], folder / "gpu.skdeep"
    for data, model in bases:
        members = Members(data)
        members.fitted()["device"] = json_node("cuda:77")
        path.write_bytes(members.bytes())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loaded = load(path)
        is_warned = [one.category for one in caught] == [DeviceUnavailableWarning]
        wrong = float(not (is_warned and loaded.device_ == "cpu" and _is_equal(loaded, model)))
        row = {"model": type(model).__name__, "device": loaded.device_, "wrong": wrong}
        rows.append({**row, **verdict(wrong, at_most=0)})
    return rows


def main():
    parser = make_parser(__doc__, files=1000, rounds=20)
    args = parse(parser, files=30, rounds=2)
    report = Report("Files: damage, attacks, memory and time", args)
    warnings.simplefilter("ignore")
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        folder, bases = Path(folder), []
        for model in models():
            save(model, folder / "good.skdeep")
            bases.append(((folder / "good.skdeep").read_bytes(), model))
        load(folder / "good.skdeep")  # imports what loading needs
        common = (bases, args.files, folder, watch)
        rows = count_outcomes(DAMAGES, lambda d, k, rng, marker: damage(d, k, rng), *common)
        for row in rows:
            row |= verdict(row["other"] + row["executed"], at_most=0)
        report.add(rows, title=f"{args.files} damaged files", table="damage")
        before = peak_memory()
        rows = count_outcomes(
            ATTACKS, lambda d, k, rng, m: attack(d, k, rng, f"touch {m}"), *common
        )
        for row in rows:
            row |= verdict(row["executed"], at_most=0)
        report.add(rows, title=f"{args.files} hostile files", table="attacks")
        growth = peak_memory() - before
        row = {"what": "growth of the peak memory, MB", "value": growth}
        report.add([{**row, **verdict(growth, at_most=500)}], title="Memory of attacks")
        report.add(cost_rows(bases, folder, args.rounds), title="Good files", table="cost")
        report.add(missing_gpu_rows(bases, folder), title="Trained on a missing GPU", table="gpu")
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
