"""Files of ``save`` and ``load``: what comes back, versions, and what cannot be saved."""

import functools
import hashlib
import json
import pathlib
import pickle
import re
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skdeep
from skdeep.decomposition import Autoencoder
from skdeep.ensemble import DeepEnsembleClassifier
from skdeep.exceptions import PersistenceError
from skdeep.generative import GANSampler
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier
from skdeep.persistence import load, save

DATA = pathlib.Path(__file__).parent / "data"
SMALL = {"max_epochs": 2, "random_state": 0, "device": "cpu"}


def _net(**params):
    return ResNetClassifier(width=8, n_blocks=1, **SMALL, **params)


def _pipe():
    return make_pipeline(StandardScaler(), Autoencoder(2, **SMALL), LogisticRegression())


def _branches():
    branches = [("ae", Autoencoder(2, **SMALL), [0, 1, 2]), ("pca", PCA(2), [3, 4, 5])]
    return make_pipeline(ColumnTransformer(branches), LogisticRegression())


MODELS = {
    "pipeline": _pipe,
    "branches": _branches,
    "selection": lambda: make_pipeline(SelectKBest(k=4), _net()),
    "ufunc": lambda: make_pipeline(FunctionTransformer(np.arctan), _net()),
    "search": lambda: GridSearchCV(
        _pipe(), {"logisticregression__C": [0.1, 1.0]}, cv=KFold(2), scoring="accuracy"
    ),
    "batched search": lambda: BatchedGridSearchCV(
        _net(), {"lr": [1e-3, 1e-2]}, cv=2, scoring=["f1", "roc_auc"], refit="f1"
    ),
    "stacking": lambda: StackingClassifier([("net", _net()), ("linear", LogisticRegression())]),
    "ensemble": lambda: DeepEnsembleClassifier(_net(), 2, random_state=0),
}


def _saved(estimator, folder):
    path = folder / "model.skdeep"
    save(estimator, path)
    return path


def _through_file(estimator, folder, **options):
    return load(_saved(estimator, folder), **options)


def test_every_estimator_comes_back_with_the_same_bits(make_random, assert_same, X, y, tmp_path):
    estimator = make_random().fit(X, y)
    loaded = _through_file(estimator, tmp_path)
    assert type(loaded) is type(estimator)
    assert str(loaded.get_params()) == str(estimator.get_params())
    assert str(clone(loaded).get_params()) == str(clone(estimator).get_params())
    assert_same(loaded, estimator, X)


def test_training_continues_from_a_file_with_the_same_bits(
    make_random, train_on, assert_same, assert_same_state, X, y, tmp_path
):
    estimator = make_random(warm_start=True).fit(X, y)
    loaded = _through_file(estimator, tmp_path)
    assert_same_state(train_on(loaded, X, y), train_on(estimator, X, y))
    assert_same(loaded, estimator, X)


def test_an_unfitted_estimator_comes_back(make, tmp_path):
    estimator = make()
    loaded = _through_file(estimator, tmp_path)
    assert repr(loaded.get_params()) == repr(estimator.get_params())
    assert [name for name in vars(loaded) if name.endswith("_")] == []


@pytest.mark.parametrize("name", MODELS)
def test_a_composite_model_comes_back_with_the_same_bits(name, X, y, tmp_path):
    model = MODELS[name]().fit(X, y)
    loaded = _through_file(model, tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X), strict=True)
    assert str(clone(loaded)) == str(clone(model))


@pytest.mark.slow
def test_a_fresh_process_gives_the_same_bits(
    make_random_ones, row_outputs, run_python, X, y, tmp_path
):
    expected = []
    for number, model in enumerate([*make_random_ones().values(), _pipe(), _branches()]):
        save(model.fit(X, y), tmp_path / f"{number}.skdeep")
        expected.append(row_outputs(model, X))
    (tmp_path / "X.pkl").write_bytes(pickle.dumps((X, [list(names) for names in expected])))
    run_python(
        "import pickle, pathlib, torch\n"
        "from skdeep.persistence import load\n"
        "torch.set_num_threads(1)\n"
        "X, names = pickle.loads(pathlib.Path('X.pkl').read_bytes())\n"
        "models = [load(f'{number}.skdeep') for number in range(len(names))]\n"
        "results = [{one: getattr(model, one)(X) for one in some}\n"
        "           for model, some in zip(models, names, strict=True)]\n"
        "pathlib.Path('back.pkl').write_bytes(pickle.dumps(results))"
    )
    for actual, known in zip(
        pickle.loads((tmp_path / "back.pkl").read_bytes()), expected, strict=True
    ):
        for name, result in known.items():
            np.testing.assert_array_equal(actual[name], result, err_msg=name)


def test_a_random_state_comes_back_where_it_was(tmp_path):
    random_state = np.random.RandomState(3)
    random_state.random(7)
    loaded = _through_file(_net().set_params(random_state=random_state), tmp_path)
    np.testing.assert_array_equal(loaded.random_state.random(5), random_state.random(5))


def test_sparse_matrices_come_back(tmp_path):
    X = sp.random(40, 5, density=0.5, format="csr", random_state=0)
    model = KNeighborsClassifier(3, algorithm="brute").fit(X, np.arange(40) % 2)
    loaded = _through_file(model, tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


# Files ------------------------------------------------------------------------------------------


def test_the_manifest_describes_the_file(X, tmp_path):
    with zipfile.ZipFile(_saved(_pipe().fit(X, X[:, 0] > 0), tmp_path)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        assert {*manifest["members"], "manifest.json"} == set(archive.namelist())
    assert manifest["class"] == "sklearn.pipeline.Pipeline"
    assert "Autoencoder" in manifest["parameters"]
    versions = {"skdeep": skdeep.__version__, "scikit-learn": sklearn.__version__}
    assert versions.items() <= manifest["versions"].items()
    assert {"numpy", "python", "skops", "torch"} <= manifest["versions"].keys()


def test_a_file_is_replaced_as_a_whole_and_nothing_else_is_left(X, tmp_path):
    path = _saved(Autoencoder(2, **SMALL).fit(X), tmp_path)
    before = path.read_bytes()
    with pytest.raises(PersistenceError, match=r"top level of a module.*lambda"):
        save(FunctionTransformer(lambda x: x), path)
    assert path.read_bytes() == before
    save(PCA(), path)
    assert isinstance(load(path), PCA)
    assert list(tmp_path.iterdir()) == [path]


def test_save_to_a_missing_folder_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save(PCA(), tmp_path / "nowhere" / "model.skdeep")
    with pytest.raises(FileNotFoundError, match="nothing"):
        load(tmp_path / "nothing")


@pytest.mark.parametrize("thing", [3, {"a": PCA()}, PCA])
def test_what_is_no_estimator_cannot_be_saved(thing, tmp_path):
    with pytest.raises(TypeError, match="scikit-learn estimator"):
        save(thing, tmp_path / "model.skdeep")


def test_an_estimator_that_contains_itself_cannot_be_saved(tmp_path):
    pipe = make_pipeline(PCA())
    pipe.steps.append(("self", pipe))
    with pytest.raises(PersistenceError, match="Pipeline cannot be saved"):
        save(pipe, tmp_path / "model.skdeep")


# Trust ------------------------------------------------------------------------------------------


class Shift(PCA):
    """A transformer that is neither scikit-learn's nor skdeep's."""


def shifted(X):
    return X + 1


@pytest.mark.parametrize("thing", [Shift, shifted])
@pytest.mark.parametrize("as_name", [False, True])
def test_types_and_functions_of_others_are_named_and_must_be_trusted(thing, as_name, X, tmp_path):
    step = Shift() if thing is Shift else FunctionTransformer(shifted)
    model = make_pipeline(step, Autoencoder(2, **SMALL)).fit(X)
    path, name = _saved(model, tmp_path), f"{thing.__module__}.{thing.__name__}"
    with pytest.raises(PersistenceError, match=re.escape(f"not trusted: ['{name}']")):
        load(path)
    loaded = load(path, trusted=[name if as_name else thing])
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))


def test_functions_of_skdeep_are_not_trusted(X, tmp_path):
    model = FunctionTransformer(skdeep.show_versions)
    with pytest.raises(PersistenceError, match=r"not trusted: \['skdeep"):
        _through_file(model, tmp_path)


def test_trees_must_be_trusted(X, y, tmp_path):
    path = _saved(RandomForestClassifier(2, random_state=0).fit(X, y), tmp_path)
    with pytest.raises(PersistenceError, match=r"not trusted: \['sklearn.tree._tree.Tree'\]"):
        load(path)
    assert load(path, trusted="sklearn.tree._tree.Tree").predict(X).shape == (50,)


@pytest.mark.parametrize("trusted", [True, 3, [3], [None]])
def test_trusted_must_be_a_list_of_types(trusted, tmp_path):
    with pytest.raises(TypeError, match="trusted must be a list of types"):
        load(tmp_path / "model.skdeep", trusted=trusted)


def test_paths_come_back_as_strings(tmp_path):
    net = ResNetClassifier(width=8, n_blocks=1, max_epochs=1, checkpoint=tmp_path / "run")
    search = BatchedGridSearchCV(net, {"lr": [1e-3]}, journal=tmp_path / "search.jsonl")
    save(search, tmp_path / "search.skdeep")
    loaded = load(tmp_path / "search.skdeep")
    assert loaded.journal == str(tmp_path / "search.jsonl")
    assert loaded.estimator.checkpoint == str(tmp_path / "run")


@pytest.mark.parametrize("keys", [[False, True], [np.False_, np.True_]], ids=["bool", "NumPy"])
def test_class_weights_of_booleans_come_back(keys, X, y, tmp_path):
    net = _net(class_weight=dict(zip(keys, [3.0, 1.0], strict=True))).fit(X, y == 1)
    save(net, tmp_path / "net.skdeep")
    loaded = load(tmp_path / "net.skdeep")
    assert loaded.class_weight == net.class_weight
    expected = net.fit(X, y == 1).predict_proba(X)
    np.testing.assert_array_equal(loaded.fit(X, y == 1).predict_proba(X), expected)


def test_a_sampler_of_two_boolean_classes_comes_back(X, y, tmp_path):
    sampler = GANSampler(**SMALL)
    sampler.fit_resample(X, y == 1)
    save(sampler, tmp_path / "sampler.skdeep")
    loaded = load(tmp_path / "sampler.skdeep")
    assert loaded.sampling_strategy_ == sampler.sampling_strategy_


@pytest.mark.parametrize(
    "keys", [[False, True], [1, "1"], [None, 1], [np.datetime64("2020", "ns"), 1]], ids=str
)
def test_keys_that_would_change_cannot_be_saved(keys, tmp_path):
    model = LogisticRegression(class_weight=dict.fromkeys(keys, 1.0))
    with pytest.raises(PersistenceError, match="keys of a dictionary must be numbers or strings"):
        save(make_pipeline(StandardScaler(), model), tmp_path / "model.skdeep")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("container", [pd.Index, pd.Series, pl.Series])
def test_parameters_that_are_an_index_or_a_series_come_back_as_lists(container, X, y, tmp_path):
    net = _net(categorical_features=container([0, 2])).fit(X.round(), y)
    save(net, tmp_path / "net.skdeep")
    loaded = load(tmp_path / "net.skdeep")
    assert loaded.categorical_features == [0, 2]
    np.testing.assert_array_equal(loaded.predict_proba(X.round()), net.predict_proba(X.round()))


def test_metadata_requests_come_back(X, y, tmp_path):
    weight = 1.0 + np.arange(len(y)) % 3
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(scaler, _net().set_fit_request(sample_weight="mass"))
        model = BatchedGridSearchCV(pipe, {"resnetclassifier__lr": [1e-3, 1e-2]}, cv=2)
        save(model.fit(X, y, mass=weight), tmp_path / "model.skdeep")
        loaded = load(tmp_path / "model.skdeep")
        assert str(loaded.get_metadata_routing()) == str(model.get_metadata_routing())
        np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
        again = clone(loaded).fit(X, y, mass=weight)
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        save(loaded, tmp_path / "again.skdeep")
        grid = {"logisticregression": np.array([LogisticRegression(), pipe[1]], dtype=object)}
        parts = [
            GridSearchCV(make_pipeline(scaler, LogisticRegression()), grid),
            FunctionTransformer(clone(scaler).fit(X).transform),
            FunctionTransformer(functools.partial(clone(scaler).fit(X).transform, copy=True)),
        ]
        for part in parts:
            save(part, tmp_path / "part.skdeep")
        assert pipe[0].get_metadata_routing().owner is pipe[0]


def test_metadata_requests_hide_no_other_error_and_take_no_memory(X, y, tmp_path):
    function = FunctionTransformer(lambda X: X)
    with sklearn.config_context(enable_metadata_routing=True):
        net = _net().set_params(width=512).set_fit_request(sample_weight=True)
        with pytest.raises(PersistenceError, match="at the top level of a module"):
            save(make_pipeline(function, net), tmp_path / "model.skdeep")
        net.fit(X, y)
        tracemalloc.start()
        save(net, tmp_path / "model.skdeep")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 12 * (tmp_path / "model.skdeep").stat().st_size


# Versions ---------------------------------------------------------------------------------------


def _edited(path, text, other):
    """Replace a text in the members of a file, and correct the checksums."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).replace(text, other) for name in archive.namelist()}
    manifest = json.loads(parts.pop("manifest.json"))
    manifest["members"] = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest, indent=1))
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (b'"format": 1', b'"format": 2'),
        (f'"skdeep": "{skdeep.__version__}"'.encode(), b'"skdeep": "99.1.0"'),
    ],
)
def test_a_file_of_a_newer_version_asks_for_an_upgrade(text, other, tmp_path):
    path = _edited(_saved(PCA(), tmp_path), text, other)
    with pytest.raises(PersistenceError, match=r"written by skdeep .* Upgrade skdeep"):
        load(path)


def test_another_version_of_scikit_learn_is_reported_as_usual(X, tmp_path):
    path = _saved(_pipe().fit(X, X[:, 0] > 0), tmp_path)
    _edited(path, sklearn.__version__.encode(), b"1.8.0")
    with pytest.warns(InconsistentVersionWarning, match=r"from version 1\.8\.0"):
        load(path)


@pytest.mark.parametrize("path", sorted(DATA.glob("*.skdeep")), ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_files_of_all_releases_load(path):
    with np.load(path.with_suffix(".npz")) as expected:
        probabilities = load(path).predict_proba(expected["X"])
        np.testing.assert_allclose(probabilities, expected["probabilities"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", sorted(DATA.glob("*.skdeep")), ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_nets_of_all_releases_continue_training(path):
    model = load(path)
    with np.load(path.with_suffix(".npz")) as expected:
        codes, y = model[:-1].transform(expected["X"]), expected["probabilities"].argmax(axis=1)
    before, n_epochs = model[-1].predict_proba(codes), model[-1].n_iter_
    after = model[-1].partial_fit(codes, model.classes_[y]).predict_proba(codes)
    assert model[-1].n_iter_ == n_epochs + 1
    assert not np.array_equal(after, before)


def test_there_is_a_file_of_this_release():
    release = ".".join(skdeep.__version__.split(".")[:2])
    assert (DATA / f"v{release}.skdeep").exists()
