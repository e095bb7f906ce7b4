"""Promise 7: fitted estimators consist of plain values when pickled, and load on any device."""

import copy
import io
import numbers
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdeep.exceptions import DeviceUnavailableWarning

# A device index that does not exist on test machines.
MISSING_GPU = f"cuda:{torch.cuda.device_count() + 1}"


def _through_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


def _through_joblib(estimator):
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


def _through_skops(estimator):
    data = skops.io.dumps(estimator)
    return skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))


WAYS = {
    "pickle": _through_pickle,
    "joblib": _through_joblib,
    "deepcopy": copy.deepcopy,
    "skops": _through_skops,
    "twice": lambda estimator: _through_pickle(_through_pickle(estimator)),
}

each_way = pytest.mark.parametrize("way", WAYS)
# joblib and a second pickle read the same state as the first.
FORMATS = ["pickle", "deepcopy", "skops"]
each_format = pytest.mark.parametrize("way", FORMATS)


def _leaves(value):
    """Leaves of nested containers."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield from _leaves(entry)
    elif isinstance(value, list | tuple | set):
        for entry in value:
            yield from _leaves(entry)
    else:
        yield value


def _is_plain(leaf):
    if isinstance(leaf, np.ndarray):
        return type(leaf) is np.ndarray and leaf.dtype.kind in "biufU"
    return leaf is None or isinstance(leaf, str | bool | numbers.Number | np.generic)


VARIANTS = {
    "default": {},
    "early stopping": {"early_stopping": True},
    "residual": {"block": "residual", "hidden_layer_sizes": (8, 5), "feature_scaling": "standard"},
    "spectral norm": {"spectral_norm": True, "critic_lr": np.float32(1e-4), "n_critic": 2},
    "quantiles": {"feature_scaling": "quantile", "batch_norm": True, "latent_dim": 3},
    "plan": {"sampling_strategy": {0: np.int64(30)}, "betas": [np.float64(0.0), 0.9]},
    "features": {"n_components": np.int64(3), "latent_dim": np.int64(2)},
    "packs": {"pac": 4, "categorical_features": [0, np.int64(2)]},
    "sgd": {"optimizer": "sgd", "lr_schedule": "onecycle", "feature_scaling": None},
    "torch objects": {"optimizer": torch.optim.RMSprop, "device": torch.device("cpu")},
    "list of devices": {"device": [torch.device("cpu"), "cpu"]},
    "NumPy numbers": {"lr": np.float32(1e-2), "n_components": np.int64(3)},
    "NumPy sizes": {"width": np.int64(9), "dropout": np.float32(0.1), "norm": "layer"},
    "periodic": {"numerical_embedding": "periodic", "embedding_dim": 4, "n_blocks": 1},
    "piecewise": {"numerical_embedding": "piecewise-linear", "missing": "indicator"},
    "classes": {"class_weight": {0: 1.0, 1: 2.5}, "label_smoothing": 0.1},
}
# Those of them that continue training in different ways.
GOING_ON = ("default", "sgd", "torch objects", "residual", "periodic", "piecewise")
GOING_ON += ("spectral norm", "quantiles", "packs")


@pytest.fixture
def table(X):
    """Rows with categories, some of them missing, and with gaps."""
    table = pd.DataFrame(X, columns=list("abcdef")).assign(
        kind=pd.Categorical.from_codes(np.arange(50) % 4 - 1, ["red", "green", "blue"]),
        size=pd.Categorical(np.arange(50) % 5),
    )
    table.loc[::3, ["b", "e"]] = np.nan
    return table


@pytest.mark.parametrize("way", ["pickle", "deepcopy"])
def test_a_copy_of_a_frozen_estimator_is_frozen(way, make_random, X, y):
    frozen = FrozenEstimator(make_random().fit(X, y))
    copied = WAYS[way](frozen)
    assert type(copied) is FrozenEstimator
    assert type(copied.estimator) is type(frozen.estimator)
    assert copied.estimator is not frozen.estimator


@pytest.mark.nets(VARIANTS)
@pytest.mark.matrix
def test_state_holds_arrays_numbers_and_strings_only(params, make_random, X, y):
    state = make_random(**params).fit(X, y).__getstate__()
    assert any(isinstance(leaf, np.ndarray) for leaf in _leaves(state))
    assert [leaf for leaf in _leaves(state) if not _is_plain(leaf)] == []


@pytest.mark.nets({"image": {"image_shape": (8, 8)}})
def test_state_of_an_image_net_holds_arrays_numbers_and_strings_only(params, make):
    X = np.random.default_rng(0).random((20, 64))
    estimator = make(**params, max_epochs=1).fit(X, np.arange(20) % 2)
    assert [leaf for leaf in _leaves(estimator.__getstate__()) if not _is_plain(leaf)] == []


@pytest.mark.nets(
    {
        "embedded": {
            "missing": "indicator",
            "numerical_embedding": "piecewise-linear",
            "embedding_dim": 3,
        },
        "generated": {"pac": 2},
    }
)
@each_way
@pytest.mark.matrix
def test_net_of_categories_and_gaps_is_plain_and_copied(
    way, params, make_random, train_on, assert_same, table, y
):
    estimator = make_random(**params, warm_start=True).fit(table, y)
    state = estimator.__getstate__()
    assert state.pop("feature_names_in_").tolist() == list(table)  # scikit-learn's, of objects
    assert [leaf for leaf in _leaves(state) if not _is_plain(leaf)] == []
    copied = WAYS[way](estimator)
    assert_same(copied, estimator, table.assign(size=pd.Categorical(np.arange(50) % 7)))
    new = table.iloc[::-1]
    assert_same(train_on(copied, new, y), train_on(estimator, new, y), table)


@pytest.mark.having("class_weight", "fit_resample")
@pytest.mark.parametrize("labels", [["no", "yes"], [2.0, -1.0], [True, False]], ids=str)
@each_format
@pytest.mark.matrix
def test_copy_keeps_the_labels(way, labels, make, assert_same, X, y):
    estimator = make().fit(X, np.array(labels)[y])
    assert [leaf for leaf in _leaves(estimator.__getstate__()) if not _is_plain(leaf)] == []
    copied = WAYS[way](estimator)
    assert copied.classes_.dtype == estimator.classes_.dtype
    assert_same(copied, estimator, X)


def test_pickle_names_no_module_of_torch_or_skorch(make_random, X, y):
    data = pickle.dumps(make_random().fit(X, y))
    assert b"torch" not in data.replace(b"torch.optim.", b"")
    assert b"skorch" not in data


@each_format
@pytest.mark.nets(VARIANTS)
@pytest.mark.matrix
def test_copy_gives_the_same_bits(params, way, make_random, assert_same, X, y):
    estimator = make_random(**params).fit(X, y)
    assert_same(WAYS[way](estimator), estimator, X)


@each_format
@pytest.mark.nets(
    {
        "sizes": {**VARIANTS["torch objects"], "hidden_layer_sizes": (8, 5)},
        "blocks": {**VARIANTS["torch objects"], "n_blocks": 1, "categorical_features": []},
        "game": {"betas": [0.1, 0.9], "hidden_layer_sizes": (8, 5), "device": torch.device("cpu")},
        "plan": {"sampling_strategy": {0: 30, 1: 50}},
        "columns": {"categorical_features": [True, False, True, False, False, False]},
    }
)
@pytest.mark.matrix
def test_copy_keeps_the_parameters(way, params, make, X, y):
    estimator = make(**params, lr=1e-2).fit(X, y)
    for one in (estimator, make(**params, lr=1e-2)):
        copied = WAYS[way](one).get_params()
        expected = {name: str(value) for name, value in one.get_params().items()}
        assert {name: str(value) for name, value in copied.items()} == expected
        if "optimizer" in params:
            assert copied["optimizer"] is torch.optim.RMSprop


@each_format
@pytest.mark.nets({name: VARIANTS[name] for name in GOING_ON})
@pytest.mark.having("lr")
@pytest.mark.matrix
def test_training_goes_on_from_a_copy_with_the_same_bits(
    params, way, make_random, train_on, assert_same, X, y
):
    estimator = make_random(**params, warm_start=True).fit(X, y)
    copied = WAYS[way](estimator)
    for _ in range(2):
        assert_same(train_on(copied, X, y), train_on(estimator, X, y), X)
    for one in (copied, estimator):
        one.set_params(lr_schedule="cosine").fit(X, y)
    assert_same(copied, estimator, X)


@pytest.mark.parametrize("way", sorted(WAYS.keys() - set(FORMATS)))
@pytest.mark.matrix
def test_copy_by_other_ways_trains_on_with_the_same_bits(
    way, make_random, train_on, assert_same, X, y
):
    estimator = make_random(warm_start=True).fit(X, y)
    copied = WAYS[way](estimator)
    assert_same(copied, estimator, X)
    assert_same(train_on(copied, X, y), train_on(estimator, X, y), X)


@each_way
@pytest.mark.matrix
def test_copy_and_original_are_independent(way, make, train_on, assert_same, X, y):
    estimator = make().fit(X, y)
    expected = make().fit(X, y)
    train_on(WAYS[way](estimator), X, y).fit(X[:10], y[:10])
    assert_same(estimator, expected, X)


@pytest.mark.usefixtures("read_only_arrays_warn")
@pytest.mark.matrix
def test_memory_mapped_copy_gives_the_same_bits(make_random, train_on, assert_same, X, y, tmp_path):
    estimator = make_random(warm_start=True).fit(X, y)
    joblib.dump(estimator, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert_same(mapped, estimator, X)
    assert_same(train_on(mapped, X, y), train_on(estimator, X, y), X)


@pytest.mark.having("sample")
def test_copy_draws_the_same_samples(make, X, y):
    estimator = make().fit(X)
    drawn = _through_pickle(estimator).sample(9, random_state=1)
    np.testing.assert_array_equal(drawn, estimator.sample(9, random_state=1))


def test_fresh_process_gives_the_same_bits(
    make_random_ones, row_outputs, assert_same, run_python, X, y, tmp_path
):
    nets = make_random_ones(warm_start=True).values()
    pipes = [make_pipeline(MinMaxScaler(), net).fit(X, y) for net in nets]
    expected = [row_outputs(pipe, X) for pipe in pipes]
    part = pipes[0][:-1].transform(X)
    (tmp_path / "pipes.pkl").write_bytes(pickle.dumps((pipes, X, part, y, expected)))
    run_python(
        "import pickle, pathlib, torch\n"
        "torch.set_num_threads(1)\n"
        "pipes, X, part, y, outputs = pickle.loads(pathlib.Path('pipes.pkl').read_bytes())\n"
        "results = []\n"
        "for pipe, names in zip(pipes, outputs, strict=True):\n"
        "    results.append({name: getattr(pipe, name)(X) for name in names})\n"
        "    pipe[-1].set_params(max_epochs=1).fit(part, y)\n"
        "pathlib.Path('back.pkl').write_bytes(pickle.dumps((results, pipes)))"
    )
    results, elsewhere = pickle.loads((tmp_path / "back.pkl").read_bytes())
    for pipe, copied, actual, known in zip(pipes, elsewhere, results, expected, strict=True):
        for name, result in known.items():
            np.testing.assert_array_equal(actual[name], result, err_msg=name)
        assert_same(copied[-1], pipe[-1].set_params(max_epochs=1).fit(part, y), part)


def test_skops_needs_trust_in_skdeep_only(make_random, X, y):
    data = skops.io.dumps(make_random().fit(X, y))
    untrusted = skops.io.get_untrusted_types(data=data)
    assert untrusted
    assert [name for name in untrusted if not name.startswith("skdeep.")] == []


def test_state_from_a_missing_gpu_loads_on_the_cpu_with_one_warning(
    make_random, as_if_trained_on, train_on, assert_same, X, y
):
    estimator = make_random(warm_start=True).fit(X, y)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = as_if_trained_on(MISSING_GPU, estimator)
        assert_same(loaded, estimator, X)
        assert_same(train_on(loaded, X, y), train_on(estimator, X, y), X)
        assert_same(_through_pickle(loaded), estimator, X)
    assert [warning.category for warning in caught] == [DeviceUnavailableWarning]
    message = str(caught[0].message)
    assert MISSING_GPU in message and type(estimator).__name__ in message
    assert loaded.device_ == "cpu"


def test_unfitted_estimator_for_a_missing_gpu_can_be_copied(make):
    estimator = make(device=MISSING_GPU)
    assert _through_pickle(estimator).get_params()["device"] == MISSING_GPU


def test_failed_fit_on_a_fitted_estimator_leaves_its_copies_equal(
    make, train_on, assert_same, X, y
):
    estimator = make().fit(X, y)
    before = _through_pickle(estimator)
    with pytest.raises(ValueError, match="features"):
        train_on(estimator, X[:, :3], y)
    assert_same(_through_pickle(estimator), before, X)


@pytest.mark.gpu
def test_what_was_trained_on_a_gpu_loads_where_there_is_none(
    make, row_outputs, run_python, X, y, tmp_path
):
    estimator = make(device="cuda").fit(X, y)
    expected = row_outputs(estimator, X)
    (tmp_path / "estimator.pkl").write_bytes(pickle.dumps((estimator, X, list(expected))))
    run_python(
        "import os; os.environ['CUDA_VISIBLE_DEVICES'] = ''\n"
        "import pickle, pathlib, warnings\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    estimator, X, names = pickle.loads(pathlib.Path('estimator.pkl').read_bytes())\n"
        "from skdeep.exceptions import DeviceUnavailableWarning\n"
        "caught = [one for one in caught if one.category is DeviceUnavailableWarning]\n"
        "assert len(caught) == 1 and estimator.device_ == 'cpu'\n"
        "results = {name: getattr(estimator, name)(X) for name in names}\n"
        "pathlib.Path('results.pkl').write_bytes(pickle.dumps(results))"
    )
    for name, result in pickle.loads((tmp_path / "results.pkl").read_bytes()).items():
        np.testing.assert_allclose(result, expected[name], rtol=1e-3, atol=1e-3, err_msg=name)
