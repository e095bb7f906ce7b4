"""Fitted models in a service: the example of the guide, threads and forked workers."""

import asyncio
import importlib.util
import pathlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from onnx_results import CODER, classifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep.decomposition import Autoencoder
from skdeep.persistence import to_onnx

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "service.py"


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def pipeline(X):
    y = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
    return make_pipeline(StandardScaler(), classifier()).fit(X, y)


@pytest.fixture(scope="module")
def post(pipeline, X, tmp_path_factory):
    path = tmp_path_factory.mktemp("service") / "model.onnx"
    to_onnx(pipeline, X[:1], path)
    spec = importlib.util.spec_from_file_location("service", EXAMPLE)
    service = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(service)
    transport = httpx.ASGITransport(service.make_app(path))

    async def send(rows):
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/predict", json={"X": rows})

    return lambda rows: asyncio.run(send(rows))


def test_the_service_of_the_guide_returns_what_the_model_predicts(post, pipeline, X):
    for part in (X[:1], X):
        response = post(part.tolist())
        assert response.status_code == 200
        found = response.json()
        assert found["label"] == pipeline.predict(part).tolist()
        expected = pipeline.predict_proba(part)
        np.testing.assert_allclose(found["probabilities"], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [[], [[1.0, 2.0]], [["a"] * 6], [[1e39] * 6]])
def test_the_service_of_the_guide_refuses_samples_that_are_not_valid(post, rows):
    assert post(rows).status_code == 422


def test_a_fitted_estimator_serves_eight_threads_at_once(pipeline, X):
    codes = Autoencoder(2, **CODER).fit(X)
    calls = [lambda: pipeline.predict_proba(X), lambda: codes.transform(X)]
    expected = [call() for call in calls]
    with ThreadPoolExecutor(8) as pool:
        futures = [(number % 2, pool.submit(calls[number % 2])) for number in range(80)]
        for number, future in futures:
            np.testing.assert_array_equal(future.result(timeout=60), expected[number])


@pytest.mark.slow
def test_forked_workers_predict_after_the_parent_has(run_python):
    """The net is wide enough for several threads, which a child does not have."""
    run_python(
        """
import os, signal, time
import numpy as np
from skdeep.decomposition import Autoencoder

X = np.random.default_rng(0).normal(size=(2000, 30)).astype(np.float32)
net = Autoencoder(5, hidden_layer_sizes=(700, 500), max_epochs=1, device="cpu", random_state=0)
expected = net.fit(X[:200]).transform(X)
workers = []
for _ in range(2):
    worker = os.fork()
    if worker == 0:
        os._exit(0 if np.array_equal(net.transform(X), expected) else 1)
    workers.append(worker)
signal.alarm(60)  # a worker that waits forever fails the test
assert [os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in workers] == [0, 0]
""",
        threads=2,
    )
