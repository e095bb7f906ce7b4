"""
A prediction service with FastAPI and ONNX Runtime
==================================================

The service needs neither torch nor scikit-learn, only FastAPI, NumPy and ONNX Runtime.
Train and export a model, then start the service:

.. code-block:: console

    $ MODEL=model.onnx uvicorn --factory service:make_app --workers 2
"""

import os
from pathlib import Path

import numpy as np
import onnxruntime
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel


class Samples(BaseModel):
    """Samples as rows of numbers."""

    X: list[list[float]]


def open_model(path):
    """Open a graph that computes on one thread, since requests are processed in parallel."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def make_app(path=None):
    """Make the service for the model in a file; None for the environment variable MODEL."""
    session = open_model(Path(path or os.environ["MODEL"]))
    (given,) = session.get_inputs()
    dtype = {"tensor(float)": np.float32, "tensor(double)": np.float64}[given.type]
    names = [output.name for output in session.get_outputs()]
    app = FastAPI(title="skdeep model")

    @app.post("/predict")
    def predict(samples: Samples) -> dict[str, list]:
        """Return all outputs of the model; the graph itself does not validate its input."""
        n_features = given.shape[1]
        if not samples.X or any(len(row) != n_features for row in samples.X):
            raise HTTPException(422, f"X must have rows of {n_features} numbers.")
        with np.errstate(over="ignore"):
            X = np.array(samples.X, dtype=dtype)
        if not np.isfinite(X).all():
            raise HTTPException(422, "X must be finite.")
        results = session.run(None, {given.name: X})
        return {name: values.tolist() for name, values in zip(names, results, strict=True)}

    return app
