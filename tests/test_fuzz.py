"""Any input gives a ``ValueError``, a ``TypeError``, or finite output of the right shape."""

import warnings
from inspect import signature

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from skdeep.exceptions import ModeCollapseWarning
from skdeep.utils import all_estimators


@pytest.fixture(params=[10, pytest.param(60, marks=pytest.mark.slow)])
def fuzz(request):
    """Decorator that runs a function on so many examples."""
    return settings(
        deadline=None,
        derandomize=True,
        database=None,
        max_examples=request.param,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


EXTREME = [0.0, -0.0, 1.0, -1.0, 1e-300, 1e-40, 1e-8, 1e8, 3e38, -3e38, 1e39, 1e155, 1e308, -1e308]
ABSURD = [None, -1, 0, 1, 0.5, 1e30, 1e-30, np.nan, np.inf, True, "", "auto", (), [3, 2], {}]

_shapes = st.tuples(st.integers(1, 20), st.integers(1, 9))


def _finite_rows(shapes=_shapes):
    """Real arrays from the tiniest to the largest numbers that a dtype can hold."""
    elements = st.one_of(st.sampled_from(EXTREME), st.floats(-10, 10))
    floats = hnp.arrays(np.float64, shapes, elements=elements)
    small = hnp.arrays(
        st.sampled_from([np.float16, np.float32]), shapes, elements=st.floats(-4, 4, width=16)
    )
    whole = hnp.arrays(st.sampled_from([np.int8, np.int64, np.uint64, np.bool_]), shapes)
    return st.one_of(floats, small, whole)


def _any_rows():
    """Arrays of any dtype and up to three dimensions, NaN, infinities and nonsense included."""
    shapes = st.one_of(_shapes, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))
    scalars = hnp.scalar_dtypes().filter(lambda dtype: dtype.kind != "V")
    objects = st.one_of(st.none(), st.text(max_size=3), st.floats(), st.booleans())
    return st.one_of(
        hnp.arrays(np.float64, shapes),
        hnp.arrays(scalars, shapes),
        hnp.arrays(object, shapes, elements=objects),
        st.lists(st.one_of(st.floats(), st.lists(st.floats(), max_size=3)), max_size=4),
        st.sampled_from([None, 3, "rows", {}, {"a": [1.0]}, b"rows", np.float32(2)]),
    )


# Other ways from rows to the net and through it.
NETS = [
    {"feature_scaling": "standard", "batch_norm": True},
    {"feature_scaling": "standard", "norm": "layer"},
    {"numerical_embedding": "piecewise-linear", "missing": "indicator"},
    {"numerical_embedding": "periodic", "early_stopping": True, "refit_full": True},
    {"feature_scaling": "quantile", "spectral_norm": True},
    {"feature_scaling": "range", "loss": "wgan-gp", "latent_dim": 3},
    {"pac": 3, "loss": "wgan-gp"},
    {"neighborhood": "bubble", "metric": "cosine", "missing": "ignore"},
    {"neighborhood": "mexican_hat", "metric": "manhattan", "algorithm": "minibatch"},
    {"algorithm": "online", "topology": "hexagonal", "shape": (2, 3), "init": "random"},
]
_METHODS = ("transform", "embed", "predict", "predict_log_proba", "decision_function")
_METHODS += ("reconstruct", "score_samples", "reconstruction_error")


def _known(Estimator, params):
    return params.keys() <= signature(Estimator).parameters.keys()


def _small(Estimator, **params):
    small = {"max_epochs": 2, "batch_size": 8, "device": "cpu", "random_state": 0}
    small |= {"width": 8, "n_blocks": 1} if _known(Estimator, {"width": 8}) else {}
    small |= {"hidden_layer_sizes": (8,)} if _known(Estimator, {"latent_dim": 4}) else {}
    clusters = {"n_clusters": 2, "pretrain_epochs": 2, "n_init": 1}
    small |= {name: n for name, n in clusters.items() if _known(Estimator, {name: n})}
    small |= {"n_modes": 2} if _known(Estimator, {"n_modes": 2}) else {}
    small |= {"n_clusters": 2} if _known(Estimator, {"n_clusters": 2}) else {}
    return Estimator(**{**small, **params})


def _check_output(estimator, X):
    """Check that each row-wise result is finite or that the method raises an error."""
    for name in _METHODS:
        if hasattr(estimator, name):
            try:
                result = np.asarray(getattr(estimator, name)(X))
            except (ValueError, TypeError):
                continue
            assert len(result) == X.shape[0]
            assert np.isfinite(result).all(), name


def _check_sample(estimator, X):
    """New samples lie within the range of the training data, with gaps only in the same columns."""
    rows, classes = estimator.sample(5, random_state=0)
    assert rows.shape == (5, estimator.n_features_in_)
    assert np.isin(classes, estimator.classes_).all()
    dense = X.toarray() if sp.issparse(X) else np.asarray(X)
    if dense.dtype.kind in "fiub":
        dense, rows = dense.reshape(len(dense), -1).astype(float), np.asarray(rows, dtype=float)
        has_gaps = np.isnan(dense).any(axis=0)
        assert not np.isnan(rows[:, ~has_gaps]).any()
        low, high = dense[:, ~has_gaps].min(axis=0), dense[:, ~has_gaps].max(axis=0)
        assert ((rows[:, ~has_gaps] >= low) & (rows[:, ~has_gaps] <= high)).all()


def _check_fit(estimator, X):
    """Check that ``fit`` succeeds with finite output, or raises an error and stays unfitted."""
    before = set(vars(estimator))
    shape = getattr(X, "shape", None) or (1,)
    y = np.arange(shape[0]) % 2
    try:
        estimator.fit(X, y)
    except (ValueError, TypeError):
        assert set(vars(estimator)) == before
        return
    assert all(np.isfinite(estimator.loss_curve_))
    _check_output(estimator, np.asarray(X) if isinstance(X, list) else X)
    if hasattr(estimator, "fit_resample"):
        _check_sample(estimator, X)


@pytest.fixture(autouse=True)
def warnings_that_say_what_is_checked_anyway():
    """scikit-learn's search for NaN adds infinities of both signs; odd labels, dull generators."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ModeCollapseWarning)
        warnings.filterwarnings("ignore", message="All samples are in one of")
        warnings.filterwarnings("ignore", message="Features without any observed value")
        warnings.filterwarnings("ignore", message="A column-vector y was passed")
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than")
        warnings.filterwarnings(
            "ignore", message="invalid value encountered in (reduce|dot|add|cast)"
        )
        yield


def test_fit_on_anything_works_or_is_refused(Estimator, fuzz):
    @fuzz
    @given(X=_any_rows())
    def check(X):
        _check_fit(_small(Estimator), X)

    check()


def test_fit_on_numbers_of_any_size_works_or_is_refused(Estimator, fuzz):
    @fuzz
    @given(X=_finite_rows())
    def check(X):
        _check_fit(_small(Estimator), X)
        for params in NETS:
            if _known(Estimator, params):
                _check_fit(_small(Estimator, **params), X)

    check()


def test_fit_on_sparse_numbers_of_any_size_works_or_is_refused(Estimator, fuzz):
    @fuzz
    @given(X=_finite_rows())
    def check(X):
        if X.dtype != np.float16:  # scipy has no sparse float16
            _check_fit(_small(Estimator, batch_size=4), sp.csr_array(X))

    check()


@pytest.mark.having("embed")
def test_fit_to_anything_works_or_is_refused(Estimator, fuzz):
    @fuzz
    @given(y=_any_rows())
    def check(y):
        estimator = _small(Estimator)
        before = set(vars(estimator))
        n_rows = np.shape(y)[0] if isinstance(y, np.ndarray) and np.ndim(y) else 3
        X = np.random.default_rng(0).normal(size=(max(n_rows, 1), 4))
        try:
            estimator.fit(X, y)
        except (ValueError, TypeError):
            assert set(vars(estimator)) == before
            return
        assert all(np.isfinite(estimator.loss_curve_))
        assert len(estimator.predict(X)) == len(X)
        assert np.isfinite(estimator.embed(X)).all()

    check()


@pytest.fixture(scope="module")
def fitted():
    """Every estimator, fitted on ordinary rows of five features, by class."""
    X = np.random.default_rng(0).normal(size=(30, 5))
    return {cls: _small(cls).fit(X, np.arange(30) % 2) for _, cls in all_estimators()}


@pytest.mark.having("transform", "embed", "score_samples")
def test_anything_new_is_mapped_to_finite_numbers_or_refused(Estimator, fitted, fuzz):
    @fuzz
    @given(X=st.one_of(_any_rows(), _finite_rows(st.tuples(st.integers(1, 20), st.just(5)))))
    def check(X):
        estimator = fitted[Estimator]
        usual = np.zeros((2, 5))
        methods = [name for name in _METHODS if hasattr(estimator, name)]
        expected = [getattr(estimator, name)(usual) for name in methods]
        if isinstance(X, np.ndarray):
            _check_output(estimator, X)
        else:
            if hasattr(estimator, "score"):
                with pytest.raises((ValueError, TypeError)):
                    estimator.score(X, [0])
            for name in methods:
                with pytest.raises((ValueError, TypeError)):
                    getattr(estimator, name)(X)
        for name, result in zip(methods, expected, strict=True):
            np.testing.assert_array_equal(getattr(estimator, name)(usual), result)

    check()


@pytest.mark.having("inverse_transform")
def test_any_codes_are_decoded_to_finite_numbers_or_refused(Estimator, fitted, fuzz):
    @fuzz
    @given(codes=_finite_rows(st.tuples(st.integers(1, 9), st.just(2))))
    def check(codes):
        try:
            decoded = fitted[Estimator].inverse_transform(codes)
        except ValueError:
            return
        assert decoded.shape == (len(codes), 5)
        assert np.isfinite(decoded).all()

    check()


def _parameters(Estimator):
    """Up to four parameters with valid, invalid or absurd values."""
    good = {
        "hidden_layer_sizes": [(), 3, (4, 3), "auto"],
        "activation": ["tanh", "gelu", "softplus", "elu"],
        "optimizer": ["adam", "sgd"],
        "lr_schedule": ["cosine", "onecycle", "plateau"],
        "early_stopping": [True],
        "validation_fraction": [0.01, 0.99],
        "block": ["residual"],
        "loss": [
            *("huber", "bce", "multinomial", "absolute_error", "quantile", "gaussian"),
            *("wgan-gp", "hinge", "least-squares"),
        ],
        "latent_dim": [3],
        "gradient_penalty": [100.0, 1e6],
        "n_critic": [3],
        "ema_decay": [0.99],
        "critic_lr": [1e-8, 1e4],
        "betas": [(0.0, 0.9), [0.99, 0.1]],
        "pac": [2, 7],
        "n_modes": [3],
        "style_weight": [1e6],
        "spectral_norm": [True],
        "quantile": [0.01, 0.9, (0.1, 0.9)],
        "norm": ["layer"],
        "hidden_factor": [1e-3, 3],
        "residual_dropout": [0.9],
        "numerical_embedding": ["periodic", "piecewise-linear"],
        "frequency_scale": [1e-3, 100.0],
        "augment": ["shift", "shift+flip"],
        "categorical_features": [[0], [False, True, True, False, True], "from_dtype"],
        "missing": ["indicator", "ignore"],
        "shape": [(2, 3), (1, 9), "auto"],
        "topology": ["hexagonal"],
        "periodic": [True],
        "neighborhood": ["bubble", "triangle", "mexican_hat"],
        "radius": [1e-6, 2.0, (9.0, 0.1), 1e9],
        "learning_rate": [1.0, (0.3, 0.0)],
        "decay": ["linear"],
        "metric": ["cosine", "manhattan"],
        "algorithm": ["minibatch", "online"],
        "init": ["random"],
        "label_smoothing": [0.9],
        "class_weight": ["balanced", {0: 1.0, 1: 1e6}, {0: 0.0}],
        "refit_full": [True],
        "likelihood": ["bernoulli", "multinomial"],
        "output_activation": ["softmax", "relu", "logistic"],
        "noise": [0.5, 3.0],
        "noise_kind": ["masking"],
        "image_shape": [(8, 8), (1, 8, 8), (8, 9)],
        "gradient_clip_value": [1e-3, 1.0],
        "precision": ["bf16-mixed"],
        "feature_scaling": ["standard", "quantile", "global", "range"],
        "global_skip": [True],
        "tied_weights": [True],
        "lr": [1e-8, 1.0, 1e4],
        "weight_decay": [0.1, 1e6],
        "beta": [1e6],
        "scale": [1e-3, 1e3],
        "sparsity": [1e6],
        "contraction": [1.0, 1e6],
        "device": ["cpu", ["cpu"]],
    }
    # run lengths and output on the terminal are no matter of numbers; compiling takes too long
    names = sorted(signature(Estimator).parameters.keys() - {"max_epochs", "verbose", "compile"})
    one = st.sampled_from(names).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from([*good.get(name, []), *ABSURD]))
    )
    return st.lists(one, min_size=1, max_size=4).map(dict)


def test_any_parameters_work_or_are_refused(Estimator, fuzz):
    @fuzz
    @given(data=st.data())
    def check(data):
        estimator = _small(Estimator, **data.draw(_parameters(Estimator)))
        X = np.random.default_rng(0).random((11, data.draw(st.sampled_from([1, 5, 64]))))
        params = estimator.get_params()
        _check_fit(estimator, X)
        assert all(estimator.get_params()[name] is value for name, value in params.items())
        assert clone(estimator).get_params().keys() == params.keys()

    check()
