"""How much faster is ONNX Runtime than ``predict``, and does it return the same?

Each model is exported by ``skdeep.persistence.to_onnx``. ``predict``, ``predict_proba`` or
``transform`` and the graph take turns on the same samples, one sample and many, with one thread
each. Both read NumPy arrays; for the table, the method reads a dataframe and the graph an array for
each column. ``ratio`` is the median time of ONNX
Runtime over that of the method, so that below 1 the graph is faster. skdeep validates the samples,
which is most of the time of a single one; the graph does not.

``largest difference`` is that between the numbers, absolute below one and relative above; the exit
status is 1 if it exceeds 1e-5 or if a label differs.

    python benchmarks/onnx_runtime.py
    python benchmarks/onnx_runtime.py --smoke
"""

import sys
import time

import numpy as np
import onnxruntime
import pandas as pd
from _harness import (
    Report,
    alternate,
    limited_threads,
    make_parser,
    median,
    median_ratio,
    parse,
    verdict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.cluster import IMSAT
from skdeep.decomposition import Autoencoder
from skdeep.neural_network import ResNetClassifier, ResNetRegressor
from skdeep.persistence import to_onnx

N_TRAIN, N_FEATURES, N_PIXELS = 1000, 20, 28
CALLS = 100
SHORT = {"max_epochs": 1, "device": "cpu", "random_state": 0}


def numbers(n_rows, rng):
    return rng.standard_normal((n_rows, N_FEATURES), dtype=np.float32)


def images(n_rows, rng):
    return rng.standard_normal((n_rows, N_PIXELS**2), dtype=np.float32)


def table(n_rows, rng):
    """Numbers, some of which are missing, and a column of strings."""
    X = rng.standard_normal((n_rows, N_FEATURES - 1))
    X[rng.random(X.shape) < 0.1] = np.nan
    frame = pd.DataFrame(X, columns=[f"number {i}" for i in range(X.shape[1])])
    return frame.assign(kind=rng.choice(["red", "green", "blue"], size=n_rows))


def piecewise_linear():
    return ResNetClassifier(numerical_embedding="piecewise-linear", **SHORT)


# Models, samples, and the share of the rows that a slow net gets.
CASES = {
    "StandardScaler, ResNetClassifier": (
        lambda: make_pipeline(
            StandardScaler(), ResNetClassifier(feature_scaling="standard", **SHORT)
        ),
        numbers,
        1,
    ),
    "ResNetRegressor, quantile scaling": (lambda: ResNetRegressor(**SHORT), numbers, 1),
    "ResNetClassifier, table": (lambda: ResNetClassifier(missing="indicator", **SHORT), table, 1),
    "ResNetClassifier, embeddings": (piecewise_linear, numbers, 10),
    "ResNetClassifier, images": (
        lambda: ResNetClassifier(image_shape=(N_PIXELS, N_PIXELS), **SHORT),
        images,
        100,
    ),
    "Autoencoder": (lambda: Autoencoder(10, **SHORT), numbers, 1),
    "IMSAT": (lambda: IMSAT(8, n_init=1, **SHORT), numbers, 1),
}
METHODS = {
    "label": "predict",
    "probabilities": "predict_proba",
    "variable": "predict",
}


def inputs(session, X):
    """Inputs of a graph: the samples, or each column of a dataframe."""
    names = [one.name for one in session.get_inputs()]
    if names == ["X"]:
        return {"X": X}
    kinds = {name: object if X[name].dtype.kind in "OT" else None for name in names}
    return {name: X[[name]].to_numpy(dtype=kinds[name]) for name in names}


def open_session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def difference(found, expected):
    """Largest difference between numbers; infinite for labels that differ."""
    found, expected = np.ravel(found), np.ravel(expected)
    if found.dtype.kind != "f":
        return 0.0 if (found == expected).all() else np.inf
    return float((np.abs(found - expected) / np.maximum(1, np.abs(expected))).max())


def measure(name, args):
    make, draw, divisor = CASES[name]
    rng = np.random.default_rng(0)
    X_train, y = draw(N_TRAIN, rng), np.arange(N_TRAIN) % 2
    estimator = make().fit(X_train, y)
    start = time.process_time()
    model = to_onnx(estimator, X_train[:1])
    export_s = time.process_time() - start
    session = open_session(model)
    rows = []
    for n_rows, calls in [(1, CALLS), (max(2, args.rows // divisor), 1)]:
        X = draw(n_rows, rng)
        given, outputs = inputs(session, X), [one.name for one in session.get_outputs()]
        output = outputs[-1]
        method = getattr(estimator, METHODS[output], None) or estimator.transform
        values = dict(zip(outputs, session.run(None, given), strict=True))
        largest = difference(values[output], method(X))
        if "label" in values:
            largest = max(largest, difference(values["label"], estimator.predict(X)))
        contenders = {
            "skdeep": lambda X=X, calls=calls, call=method: [call(X) for _ in range(calls)],
            "runtime": lambda given=given, calls=calls, output=output: [
                session.run([output], given) for _ in range(calls)
            ],
        }
        with limited_threads(1):
            seconds = alternate(contenders, args.rounds)
        rows.append(
            {
                "model": name,
                "samples": n_rows,
                "method": method.__name__,
                "method ms": 1e3 * median(seconds["skdeep"]) / calls,
                "ONNX Runtime ms": 1e3 * median(seconds["runtime"]) / calls,
                "ratio": median_ratio(seconds["runtime"], seconds["skdeep"]),
                "export s": export_s,
                "largest difference": largest,
                **verdict(largest, at_most=1e-5),
            }
        )
    return rows


def main():
    parser = make_parser(__doc__, models=CASES, rows=100_000, rounds=7)
    args = parse(parser, rows=200, rounds=1)
    report = Report("ONNX Runtime beside skdeep, one thread each", args)
    report.add([row for name in args.models for row in measure(name, args)])
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
