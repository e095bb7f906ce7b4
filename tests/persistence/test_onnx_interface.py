"""Files, errors and side effects of ``to_onnx``."""

import logging
import random
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from onnx_results import CODER, assert_same_results, classifier, run
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
)

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.generative import GANSampler, TabularGANSampler
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.persistence import save, to_onnx


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(60, 6))


@pytest.fixture(scope="module")
def fitted(X):
    return Autoencoder(2, **CODER).fit(X)


def _settings():
    loggers = {"": logging.root, **logging.root.manager.loggerDict}
    return {
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "draws": (torch.get_rng_state().tolist(), random.getstate()),
        "draws of NumPy": str(np.random.get_state()),  # noqa: NPY002
        "device": torch.get_default_device(),
        "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "loggers": {
            name: (one.level, list(one.handlers), list(one.filters))
            for name, one in loggers.items()
            # the first trace of torch removes a handler of its own
            if isinstance(one, logging.Logger) and name != "torch.__trace"
        },
    }


def test_a_file_is_written_where_the_user_names_one(fitted, X, tmp_path, capfd, caplog):
    path = tmp_path / "model.onnx"
    path.write_text("an older file")
    before, state = _settings(), fitted.module_.state_dict()
    model = to_onnx(fitted, X[:1], path)
    assert onnx.load(path) == model
    assert list(tmp_path.iterdir()) == [path]
    other = tmp_path / "other"
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode
    after = _settings()
    new = after["loggers"].keys() - before["loggers"].keys()  # of modules that were imported
    after["loggers"] = {k: v for k, v in after["loggers"].items() if k not in new}
    assert after == before
    assert capfd.readouterr() == ("", "")
    assert not [one for one in caplog.records if one.levelno > logging.DEBUG]
    assert all(torch.equal(one, state[name]) for name, one in fitted.module_.state_dict().items())
    assert not fitted.module_.training


def test_the_graph_says_nothing_about_the_machine_and_is_the_same_every_time(fitted, X):
    model = to_onnx(fitted, X[:1])
    assert not re.search(rb"/|site-packages|\.py", model.SerializeToString())
    assert model.SerializeToString() == to_onnx(fitted, X[:1]).SerializeToString()


def test_no_file_is_left_where_it_cannot_be_replaced(fitted, X, tmp_path):
    folder = tmp_path / "model.onnx"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        to_onnx(fitted, X[:1], folder)
    assert list(tmp_path.iterdir()) == [folder]
    with pytest.raises(FileNotFoundError):
        to_onnx(fitted, X[:1], tmp_path / "nowhere" / "model.onnx")


@pytest.mark.parametrize("estimator", [Autoencoder(), make_pipeline(Autoencoder())])
def test_an_estimator_that_is_not_fitted_is_an_error(estimator, X):
    with pytest.raises(NotFittedError):
        to_onnx(estimator, X)


def test_without_skl2onnx_the_error_names_the_extra(fitted, X, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=re.escape("pip install skdeep[onnx]")):
        to_onnx(fitted, X)


def test_parts_without_a_converter_are_named(X):
    pipeline = make_pipeline(SplineTransformer(), Autoencoder(2, **CODER)).fit(X)
    with pytest.raises(TypeError, match="SplineTransformer cannot be exported to ONNX"):
        to_onnx(pipeline, X)
    with pytest.raises(TypeError, match="IsotonicRegression cannot be exported to ONNX"):
        to_onnx(IsotonicRegression().fit(X[:, :1], X[:, 1]), X[:, :1])


def test_options_that_an_estimator_does_not_have_are_errors(fitted, X):
    with pytest.raises(ValueError, match=r"Autoencoder cannot be exported.*'embed'"):
        to_onnx(fitted, X, options={"embed": True})
    vae = VariationalAutoencoder(2, **CODER).fit(X)
    with pytest.raises(ValueError, match="score_samples of VariationalAutoencoder cannot"):
        to_onnx(vae, X, options={"score_samples": True})


@pytest.mark.parametrize("key", [PCA, 12, Autoencoder()])
def test_options_must_be_those_of_a_part(key, fitted, X):
    pipe = make_pipeline(StandardScaler(), fitted).fit(X)
    with pytest.raises(ValueError, match=r"Parts are Autoencoder, Pipeline, StandardScaler; a"):
        to_onnx(pipe, X, options={key: {"reconstruct": True}})
    for wrong in ({Autoencoder: True}, ["reconstruct"]):
        with pytest.raises(TypeError, match="must be a dict; got"):
            to_onnx(pipe, X, options=wrong)


def test_options_must_be_those_of_the_fitted_clone_of_a_part(X):
    net = classifier()
    stack = StackingClassifier([("net", net)], LogisticRegression(), cv=2).fit(X, np.arange(60) % 2)
    with pytest.raises(ValueError, match="LogisticRegression, ResNetClassifier, StackingClass"):
        to_onnx(stack, X, options={id(net): {"zipmap": False}})
    to_onnx(stack, X, options={id(stack.estimators_[0]): {"zipmap": False}})


def test_a_generator_has_no_options(X):
    gan = GANSampler(latent_dim=3, **CODER).fit(X)
    with pytest.raises(ValueError, match="options must be None without X_sample; got"):
        to_onnx(gan, options={"zipmap": False})


@pytest.mark.parametrize("Search", [GridSearchCV, BatchedGridSearchCV])
def test_a_search_without_its_best_estimator_is_not_fitted(Search, X):
    search = Search(Autoencoder(2, **CODER), {"lr": [1e-3]}, cv=2, refit=False).fit(X)
    for model in (search, Pipeline([("search", search)])):
        with pytest.raises(NotFittedError, match="no best_estimator_ to export; got refit=False"):
            to_onnx(model, X)


@pytest.mark.parametrize("path", ["", "nowhere/model.onnx", "file/model.onnx", "folder"])
def test_a_path_that_cannot_be_written_is_noticed_before_the_conversion(
    path, X, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    cannot_be_exported = IsotonicRegression().fit(X[:, :1], X[:, 1])
    cannot_be_saved = FunctionTransformer(lambda X: X).fit(X)
    with pytest.raises((IsADirectoryError, FileNotFoundError, NotADirectoryError)):
        to_onnx(cannot_be_exported, X[:, :1], path)
    with pytest.raises((IsADirectoryError, FileNotFoundError, NotADirectoryError)):
        save(cannot_be_saved, path)
    assert sorted(map(str, Path().rglob("*"))) == ["file", "folder"]


def test_operator_sets_older_than_18_are_an_error(fitted, X):
    with pytest.raises(ValueError, match=r"target_opset must be >= 18.*got 17"):
        to_onnx(fitted, X, target_opset=17)


def test_samples_unlike_those_of_fit_are_errors(fitted, X):
    with pytest.raises(ValueError, match="Autoencoder has 6 features; got inputs of 5 columns"):
        to_onnx(fitted, X[:, :5])
    with pytest.raises(TypeError, match="strings in column 0, which was numeric in fit"):
        to_onnx(fitted, X.astype(str))
    with pytest.raises(ValueError, match="at least one sample; got none"):
        to_onnx(fitted, X[:0])
    with pytest.raises(TypeError, match="float32 or float64; got dtype float16"):
        to_onnx(fitted, X.astype(np.float16))
    dates = pd.DataFrame(X).assign(date=pd.Timestamp("2020-01-01"), name="x")
    with pytest.raises(TypeError, match=r"numbers, or strings, in each column.*'date'"):
        to_onnx(fitted, dates)


@pytest.mark.parametrize("shape", [(), (6,)])
def test_samples_that_are_not_rows_are_an_error(shape, fitted):
    with pytest.raises(ValueError, match=r"such as X\[:1\]; got an array of shape \("):
        to_onnx(fitted, np.zeros(shape))


def test_columns_in_another_order_than_in_fit_are_an_error(X):
    table = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(kind=["x", "y"] * 30)
    net = classifier(categorical_features=["kind"]).fit(table, np.arange(60) % 2)
    with pytest.raises(ValueError, match=r"same order, \['a', 'b', 'kind'\]; got \['b', 'a'"):
        to_onnx(net, table[["b", "a", "kind"]])


def test_tensors_are_read_as_arrays(fitted, X):
    assert to_onnx(fitted, torch.from_numpy(X[:1])) == to_onnx(fitted, X[:1])


def test_parts_that_sklearn_onnx_does_not_convert_for_the_input_are_an_error(X):
    table = pd.DataFrame(X, columns=list("abcdef")).assign(flag=X[:, 0] > 0)
    encoder = make_column_transformer((OneHotEncoder(), ["flag"]), remainder="passthrough")
    pipe = make_pipeline(encoder, Autoencoder(2, **CODER)).fit(table)
    with pytest.raises(ValueError, match=r"Pipeline cannot be exported.*BooleanTensorType"):
        to_onnx(pipe, table)


def test_only_generators_are_exported_without_samples(fitted, X):
    with pytest.raises(TypeError, match="X_sample must be given for Autoencoder"):
        to_onnx(fitted)
    gan = TabularGANSampler(latent_dim=3, **CODER).fit(X)
    with pytest.raises(TypeError, match="Set X_sample=None to export its generator"):
        to_onnx(gan, X)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [np.int32, bool, float])
def test_labels_of_other_types_are_exported_as_integers(kind, X):
    y = (np.arange(60) % 2).astype(kind)
    estimator = classifier().fit(X, y)
    found = run(to_onnx(estimator, X), X)["label"]
    np.testing.assert_array_equal(found, estimator.predict(X))
    assert found.dtype == np.int64


def test_labels_that_are_neither_integers_nor_strings_are_an_error(X):
    days = np.array(["2020-01-01", "2021-01-01"], dtype="M8[D]")
    estimator = classifier().fit(X, days[np.arange(60) % 2])
    with pytest.raises(ValueError, match=r"ResNetClassifier.*integers or strings; got"):
        to_onnx(estimator, X)


@pytest.mark.gpu
def test_nets_on_a_gpu_are_exported(X):
    estimator = Autoencoder(2, **{**CODER, "device": "cuda"}).fit(X)
    assert_same_results(to_onnx(estimator, X), estimator, X)
    assert estimator.device_ == "cuda"
    assert next(estimator.module_.parameters()).is_cuda
