"""Promise 1: all checks of scikit-learn and imbalanced-learn pass, without expected failures."""

from inspect import signature

import imblearn.utils.estimator_checks as imblearn_checks
import pytest
from sklearn.base import is_clusterer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeep.ensemble import DeepEnsembleClassifier, DeepEnsembleRegressor
from skdeep.neural_network import ResNetClassifier, ResNetRegressor
from skdeep.utils import all_estimators

# The suite asks classifiers and regressors for scores, and nothing of what others learn.
_EPOCHS_TO_PREDICT, _EPOCHS = 20, 3

# Another path through training, inference and persistence than the default one. Batches stay
# larger than the suite's data: a row of weight two is the row twice only where one step sees both.
_VARIANTS = [
    {"block": "residual", "batch_norm": True, "hidden_layer_sizes": (16, 8)},
    {
        "batch_norm": False,
        "dropout": 0.2,
        "optimizer": "sgd",
        "lr": 1e-2,
        "lr_schedule": "cosine",
        "gradient_clip_value": 1.0,
    },
    {
        "block": "dense",
        "feature_scaling": "standard",
        "hidden_layer_sizes": (),
        "lr_schedule": "plateau",
    },
    {"invariance": "vat", "n_init": 2, "max_epochs": 50},
    {
        "norm": "layer",
        "n_blocks": 1,
        "width": 32,
        "residual_dropout": 0.2,
        "numerical_embedding": "piecewise-linear",
        "lr": 1e-2,
        "lr_schedule": "plateau",
    },
    {
        "missing": "indicator",
        "feature_scaling": "standard",
        "width": 32,
        "optimizer": "sgd",
        "lr": 0.1,
        "gradient_clip_value": 1.0,
    },
    {"numerical_embedding": "periodic", "width": 32, "lr": 3e-3, "lr_schedule": "constant"},
    {"loss": "gaussian", "width": 32, "n_blocks": 1, "lr": 1e-2},
    {"loss": "quantile", "quantile": (0.1, 0.4, 0.9), "width": 32, "n_blocks": 1, "lr": 1e-2},
    {"label_smoothing": 0.1, "width": 32, "lr": 1e-2, "lr_schedule": "onecycle"},
    {"loss": "wgan-gp", "n_critic": 2, "feature_scaling": "quantile", "hidden_layer_sizes": (16,)},
    {"spectral_norm": True, "batch_norm": True, "critic_lr": 3e-3, "hidden_layer_sizes": (16,)},
    {"topology": "hexagonal", "metric": "cosine", "init": "random", "missing": "ignore"},
    {"algorithm": "minibatch", "neighborhood": "triangle", "shape": (5, 4), "n_clusters": 3},
    {"neighborhood": "bubble", "metric": "manhattan", "shape": (5, 4), "periodic": True},
    {"pac": 1, "n_modes": 1, "loss": "hinge", "dropout": 0.2, "hidden_layer_sizes": (16,)},
]
# Each check of imbalanced-learn's fits to 1000 rows, some of them several times.
_ONE_EPOCH = {"max_epochs": 1, "hidden_layer_sizes": (16,), "device": "cpu", "random_state": 0}

few_epochs = pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")


def _few(Estimator):
    """Parameters of a short training."""
    known = signature(Estimator).parameters.keys()
    epochs = _EPOCHS_TO_PREDICT if hasattr(Estimator, "predict") else _EPOCHS
    few = {"max_epochs": epochs, "device": "cpu"} | dict.fromkeys(known & {"n_modes"}, 2)
    few |= {"max_epochs": 64} if "refit_full" in known else {}  # the cycles of the default schedule
    few |= dict.fromkeys(known & {"n_init"}, 1)
    few |= dict.fromkeys(known & {"pretrain_epochs"}, 5)
    return few | ({"n_clusters": 3} if "explained_variance" in known else {})


def _instances():
    for _, Estimator in all_estimators():
        yield Estimator(**_few(Estimator))
    small = {
        "n_blocks": 1,
        "width": 32,
        "lr": 1e-2,
        "max_epochs": _EPOCHS_TO_PREDICT,
        "device": "cpu",
    }
    yield DeepEnsembleClassifier(ResNetClassifier(**small), n_estimators=2)
    yield DeepEnsembleRegressor(ResNetRegressor(**small), n_estimators=2)


def _variants():
    for _, Estimator in all_estimators():
        known = signature(Estimator).parameters.keys()
        for variant in _VARIANTS:
            has_loss = variant.get("loss") != "gaussian" or "quantile" in known
            if variant.keys() <= known and has_loss:
                starts = dict.fromkeys(known & {"n_init"}, 4)  # a single one may miss a cluster
                yield Estimator(**{**_few(Estimator), **starts, **variant})


def test_discovery_finds_the_estimators_that_scikit_learn_users_import():
    from skdeep.decomposition import Autoencoder, VariationalAutoencoder
    from skdeep.generative import GANFeatureExtractor, GANSampler, TabularGANSampler

    public = {Autoencoder, VariationalAutoencoder, ResNetClassifier, ResNetRegressor}
    public |= {GANFeatureExtractor, GANSampler, TabularGANSampler}
    assert public <= {cls for _, cls in all_estimators()}


def _without_probabilities(clusterer):
    """Hide ``predict_proba``: the checks of sparse data expect four classes of whatever has it."""
    hidden = {"predict_proba": property()}
    cls = type(type(clusterer).__name__, (type(clusterer),), hidden)
    return cls(**clusterer.get_params(deep=False))


def _run(estimator, check):
    if is_clusterer(estimator) and "estimator_sparse" in check.func.__name__:
        estimator = _without_probabilities(estimator)
    check(estimator)


@few_epochs
@parametrize_with_checks(list(_instances()))
def test_scikit_learn_check(estimator, check):
    _run(estimator, check)


@pytest.mark.slow
@few_epochs
@parametrize_with_checks(list(_variants()))
def test_scikit_learn_check_of_a_variant(estimator, check):
    _run(estimator, check)


def test_no_estimator_asks_to_be_excused_from_a_check(Estimator):
    tags = get_tags(Estimator())
    assert not tags.non_deterministic
    assert not tags.no_validation
    assert not tags._skip_test


def _imblearn_checks():
    samplers = [cls(**_ONE_EPOCH) for _, cls in all_estimators() if hasattr(cls, "fit_resample")]
    for sampler in samplers:
        sampler.set_params(**{"n_modes": 1} if "n_modes" in sampler.get_params() else {})
    mark = imblearn_checks.parametrize_with_checks(samplers)
    names, cases = mark.args
    # pytest deprecates the generator that imbalanced-learn gives it
    return pytest.mark.parametrize(names, list(cases), **mark.kwargs)


@few_epochs
@_imblearn_checks()
def test_imbalanced_learn_check(estimator, check):
    check(estimator)


@few_epochs
@pytest.mark.parametrize(
    "check",
    [
        imblearn_checks.check_param_validation,
        imblearn_checks.check_dataframe_column_names_consistency,
    ],
)
@pytest.mark.having("fit_resample")
def test_further_imbalanced_learn_check(check, Estimator):
    check(Estimator.__name__, Estimator(**_ONE_EPOCH))
