"""Early stopping, convergence, warm start and partial_fit."""

import copy
import gc
import weakref

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.neural_network import MLPRegressor
from skorch.callbacks import Callback

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.exceptions import DivergenceError
from skdeep.impute import AutoencoderImputer

IRIS, SPECIES = load_iris(return_X_y=True)
DIGITS = load_digits().data / 16
# With these parameters, training does not end early.
GOES_ON = {"default": {"tol": 0}, "game": {"ema_decay": 0.99}}
# Nothing learned from some of these samples generalizes to the others.
NOISE = np.random.default_rng(0).normal(size=(100, 20))


class KeepHeldOutRows(Callback):
    """Keeps the rows of the validation batches of the last epoch."""

    def on_epoch_begin(self, net, **kwargs):
        self.rows_ = []

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        if not training:
            self.rows_.append(batch.x.numpy())


def overfitting(**parameters):
    """Autoencoder that overfits soon, so that its validation loss rises."""
    defaults = {
        "hidden_layer_sizes": (256,),
        "n_components": 10,
        "feature_scaling": None,
        "early_stopping": True,
        "validation_fraction": 0.3,
        "lr": 1e-2,
        "lr_schedule": "constant",
        "max_epochs": 60,
        "n_iter_no_change": 100,
        "device": "cpu",
        "random_state": 0,
    }
    return Autoencoder(**{**defaults, **parameters})


# Early stopping ----------------------------------------------------------------------------


def test_early_stopping_brings_back_the_best_epoch():
    held_out = KeepHeldOutRows()
    ae = overfitting(callbacks=[held_out]).fit(NOISE)
    curve = np.array(ae.validation_loss_curve_)
    assert len(curve) == len(ae.loss_curve_) == ae.n_iter_ == 60
    rows = np.concatenate(held_out.rows_)
    assert len(rows) == 30
    # the last epoch is worse by more than the tolerance, so that its weights would show
    assert curve[-1] > 1.01 * curve.min()
    assert ae.reconstruction_error(rows).mean() == pytest.approx(curve.min(), rel=1e-4)


def test_early_stopping_ends_training_when_the_held_out_loss_stalls():
    ae = overfitting(n_iter_no_change=5, max_epochs=500).fit(NOISE)
    curve = ae.validation_loss_curve_
    assert ae.n_iter_ == len(curve) < 500
    # the last six epochs, and not the last seven, brought nothing
    assert min(curve[-6:]) > min(curve[:-6]) - ae.tol >= min(curve[-7:]) - 2 * ae.tol


@pytest.mark.parametrize(
    "n_rows, fraction, expected", [(100, 0.1, 10), (101, 0.1, 11), (7, 0.5, 4)]
)
def test_validation_fraction_is_the_share_of_rows_held_out(n_rows, fraction, expected, small):
    held_out = KeepHeldOutRows()
    small(
        early_stopping=True,
        validation_fraction=fraction,
        feature_scaling=None,
        callbacks=[held_out],
    ).fit(DIGITS[:n_rows])
    rows = np.concatenate(held_out.rows_)
    assert len(rows) == expected
    distances = np.abs(rows[:, np.newaxis] - DIGITS[:n_rows].astype(np.float32)).max(axis=2)
    assert (distances.min(axis=1) == 0).all()


def test_held_out_rows_do_not_train():
    ae = overfitting(max_epochs=3, callbacks=[held_out := KeepHeldOutRows()]).fit(DIGITS[:100])
    rows = np.concatenate(held_out.rows_)
    is_held_out = (DIGITS[:100, np.newaxis].astype(np.float32) == rows).all(axis=2).any(axis=1)
    weight = np.where(is_held_out, 1e-6, 1.0)
    again = overfitting(max_epochs=3).fit(DIGITS[:100], sample_weight=weight)
    # weights matter among the rows held out, and among those that are left all are one
    np.testing.assert_allclose(again.loss_curve_, ae.loss_curve_, rtol=1e-5)


def test_rows_of_weight_zero_are_not_held_out():
    weight = np.repeat([0.0, 1.0], 50)
    held_out = KeepHeldOutRows()
    overfitting(max_epochs=1, callbacks=[held_out]).fit(DIGITS[:100], sample_weight=weight)
    rows = np.concatenate(held_out.rows_)
    assert len(rows) == 15
    assert not (rows[:, np.newaxis] == DIGITS[:50].astype(np.float32)).all(axis=2).any()


@pytest.mark.having("early_stopping")
def test_early_stopping_needs_a_row_to_train_on(Class, small):
    with pytest.raises(
        ValueError, match=r"validation_fraction must leave at least one sample.*; got 0.9"
    ):
        small(Class, early_stopping=True, validation_fraction=0.9).fit(IRIS[:5], SPECIES[:5])


def test_no_validation_curve_without_early_stopping(Class, small):
    assert not hasattr(small(Class).fit(IRIS, SPECIES), "validation_loss_curve_")


# Convergence -------------------------------------------------------------------------------


@pytest.mark.parametrize("n_iter_no_change", [1, 3, 10])
def test_n_iter_no_change_means_what_it_means_in_scikit_learn(n_iter_no_change):
    # no epoch brings so much
    options = {"tol": 1e6, "n_iter_no_change": n_iter_no_change, "random_state": 0}
    reference = MLPRegressor(max_iter=50, **options).fit(IRIS, IRIS)
    assert Autoencoder(max_epochs=50, **options).fit(IRIS).n_iter_ == reference.n_iter_


@pytest.mark.having("n_iter_no_change")
def test_training_ends_when_the_loss_has_not_fallen_by_tol(Class, small):
    options = {"max_epochs": 400, "n_iter_no_change": 3, "tol": 0.01}
    if Class is AutoencoderImputer:  # each epoch hides other entries; those of validation stay
        estimator = small(Class, early_stopping=True, **options).fit(IRIS, SPECIES)
        curve = np.array([np.inf, *estimator.validation_loss_curve_])
    else:
        estimator = small(Class, **options).fit(IRIS, SPECIES)
        curve = np.array([np.inf, *estimator.loss_curve_])
    assert 4 < estimator.n_iter_ < 400
    best = np.minimum.accumulate(curve)
    falls = curve[1:] <= best[:-1] - 0.01
    assert not falls[-4:].any() and falls[-5]


@pytest.mark.nets({"patient": {"n_iter_no_change": 100}, "game": {"ema_decay": 0.9}})
def test_training_uses_all_epochs_when_nothing_stops_it(params, Class, small):
    estimator = small(Class, max_epochs=30, **params).fit(IRIS, SPECIES)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == len(estimator.history_) == 30


# Continued training ------------------------------------------------------------------------


@pytest.mark.nets(GOES_ON)
@pytest.mark.having("warm_start")
@pytest.mark.matrix
def test_warm_start_goes_on_from_the_fitted_state(params, Class, outputs, small):
    estimator = small(Class, warm_start=True, **params).fit(IRIS, SPECIES)
    before, last = outputs(estimator, IRIS), estimator.loss_curve_[-1]
    estimator.fit(IRIS, SPECIES)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == len(estimator.net_.history) == 10
    # in a game it may rise, and where each epoch hides other entries
    may_rise = "ema_decay" in params or Class is AutoencoderImputer
    assert estimator.loss_curve_[-1] < last or may_rise
    for name, result in outputs(estimator, IRIS).items():
        # labels may stay what they are while the probabilities move, and observed entries always
        may_stay = result.dtype.kind == "i" or np.array_equal(result, IRIS)
        assert may_stay or not np.array_equal(result, before[name]), name


@pytest.mark.nets(
    {
        **GOES_ON,
        "dropout": {"dropout": 0.3, "tol": 0},
        "game with dropout": {"dropout": 0.3, "pac": 2},
        "slopes": {"loss": "wgan-gp", "feature_scaling": "quantile", "latent_dim": 3},
        "spectral norm": {"spectral_norm": True, "critic_lr": 1e-4},
    }
)
@pytest.mark.having("warm_start")
@pytest.mark.matrix
def test_warm_start_of_twice_five_epochs_is_ten_epochs(params, Class, assert_same, small):
    options = {"batch_size": 32, **params}
    twice = small(Class, warm_start=True, **options).fit(IRIS, SPECIES).fit(IRIS, SPECIES)
    assert_same(twice, small(Class, max_epochs=10, **options).fit(IRIS, SPECIES), IRIS)


def test_without_warm_start_fit_starts_anew(Class, assert_same, small):
    first, again = small(Class).fit(IRIS, SPECIES), small(Class).fit(IRIS[::2], SPECIES[::2])
    assert_same(again.fit(IRIS, SPECIES), first, IRIS)
    assert again.n_iter_ == 5


@pytest.mark.nets({"codes": {"n_components": 3, "block": "dense"}, "blocks": {"width": 3}})
def test_warm_start_takes_new_training_parameters_and_no_new_shape(
    params, Class, assert_same, small
):
    estimator = small(Class, warm_start=True).fit(IRIS, SPECIES)
    estimator.set_params(lr=1e-12, max_epochs=2).fit(IRIS, SPECIES)
    assert estimator.n_iter_ == 7
    before = copy.deepcopy(estimator)
    estimator.set_params(**params)
    name = next(iter(params))
    with pytest.raises(
        ValueError, match=rf"net of the same shape.*; got new values of \[.*'{name}'\]"
    ):
        estimator.fit(IRIS, SPECIES)
    assert_same(estimator, before, IRIS)
    anew = clone(estimator).fit(IRIS, SPECIES)
    features = anew.transform if hasattr(anew, "transform") else anew.embed
    assert features(IRIS).shape == (150, 3)


@pytest.mark.having("warm_start")
def test_warm_start_refuses_other_columns(Class, small):
    estimator = small(Class, warm_start=True).fit(IRIS, SPECIES)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4 features"):
        estimator.fit(IRIS[:, :3], SPECIES)


@pytest.mark.nets(
    {
        "dropout": {"dropout": 0.5, "norm": "batch"},
        "residual dropout": {"residual_dropout": 0.5},
        "smoothing": {"label_smoothing": 0.3},
        "loss": {"loss": "huber", "quantile": None},
    }
)
def test_warm_start_takes_what_no_weight_depends_on(params, Class, small):
    expected = small(Class, warm_start=True, max_epochs=3).fit(IRIS, SPECIES)
    changed = copy.deepcopy(expected).set_params(**params).fit(IRIS, SPECIES)
    expected.fit(IRIS, SPECIES)
    assert changed.n_iter_ == expected.n_iter_ == 6
    assert changed.loss_curve_[:3] == expected.loss_curve_[:3]
    assert changed.loss_curve_[3:] != expected.loss_curve_[3:]


@pytest.mark.having("partial_fit")
def test_partial_fit_is_one_epoch(Class, assert_same, small):
    parts = small(Class, batch_size=32)
    for epoch in range(1, 6):
        parts.partial_fit(IRIS, SPECIES)
        assert parts.n_iter_ == len(parts.loss_curve_) == epoch
    assert_same(parts, small(Class, batch_size=32, tol=0).fit(IRIS, SPECIES), IRIS)


@pytest.mark.having("partial_fit")
def test_partial_fit_learns_from_parts(Class, small):
    estimator = small(Class)
    order = np.random.default_rng(0).permutation(len(IRIS))
    for _ in range(10):
        for part in np.array_split(order, 3):
            weight = np.ones(len(part))
            estimator.partial_fit(IRIS[part], SPECIES[part], sample_weight=weight)
    assert estimator.n_iter_ == 30
    if hasattr(estimator, "quantization_error"):
        assert estimator.quantization_error(IRIS) < 0.5
    elif hasattr(estimator, "predict"):
        assert estimator.score(IRIS, SPECIES) > 0.6
    else:
        assert estimator.reconstruction_error(IRIS).mean() < IRIS.var(axis=0).mean()


@pytest.mark.having("partial_fit")
def test_partial_fit_goes_on_from_fit(Class, assert_same, small):
    options = {"batch_size": 32, "tol": 0}
    estimator = small(Class, **options).fit(IRIS, SPECIES).partial_fit(IRIS, SPECIES)
    expected = small(Class, max_epochs=6, **options).fit(IRIS, SPECIES)
    assert_same(estimator, expected, IRIS)


@pytest.mark.having("partial_fit")
@pytest.mark.having("early_stopping")
def test_partial_fit_refuses_early_stopping(Class, small):
    with pytest.raises(ValueError, match="early_stopping must be False for partial_fit"):
        small(Class, early_stopping=True).partial_fit(IRIS, SPECIES)


# Divergence --------------------------------------------------------------------------------


@pytest.mark.nets({"sgd": {"optimizer": "sgd"}, "game": {"ema_decay": 0.9}})
def test_divergence_names_epoch_and_lr_and_leaves_the_estimator_unfitted(params, Class, small):
    estimator = small(Class, lr=1e30, batch_size=32, **params)
    with pytest.raises(DivergenceError, match=r"in epoch \d+ with lr=1e\+30.*Lower lr"):
        estimator.fit(IRIS, SPECIES)
    assert not hasattr(estimator, "net_") and not hasattr(estimator, "n_iter_")


@pytest.mark.nets(
    {
        "whole": {},
        "split": {"early_stopping": True},
        "refit": {"early_stopping": True, "refit_full": True},
    }
)
@pytest.mark.matrix
def test_fitted_estimator_does_not_keep_the_training_data(params, Class, small):
    X = np.random.default_rng(0).normal(size=(200, 5))
    y = np.arange(200) % 2
    references = weakref.ref(X), weakref.ref(y)
    estimator = small(Class, max_epochs=1, **params).fit(X, y)
    del X, y
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    assert estimator.n_iter_ == 1


@pytest.mark.having("early_stopping")
def test_refit_leaves_no_attribute_of_an_earlier_kind_of_training(Class, small):
    estimator = small(Class, early_stopping=True).fit(IRIS, SPECIES)
    assert len(estimator.validation_loss_curve_) == estimator.n_iter_
    estimator.set_params(early_stopping=False).fit(IRIS, SPECIES)
    assert not hasattr(estimator, "validation_loss_curve_")
    assert not hasattr(estimator, "best_epoch_")


def test_fit_to_other_data_leaves_no_attribute_of_the_data_before(small):
    variational = small(VariationalAutoencoder).fit(IRIS)
    variational.set_params(likelihood="bernoulli").fit(IRIS > IRIS.mean(axis=0))
    assert not hasattr(variational, "scale_")


@pytest.mark.having("early_stopping")
def test_warm_start_keeps_its_curves_aligned_with_the_epochs(Class, small):
    estimator = small(Class, early_stopping=True, warm_start=True).fit(IRIS, SPECIES)
    n_first = estimator.n_iter_
    estimator.set_params(early_stopping=False).fit(IRIS, SPECIES)
    curve = estimator.validation_loss_curve_
    assert len(curve) == estimator.n_iter_ > n_first
    assert np.isnan(curve[n_first:]).all() and not np.isnan(curve[:n_first]).any()


@pytest.mark.having("early_stopping")
def test_warm_start_holds_the_same_rows_out_again(Class, small):
    keep = KeepHeldOutRows()
    options = {"early_stopping": True, "warm_start": True, "callbacks": [keep]}
    estimator = small(Class, **options).fit(IRIS, SPECIES)
    first = np.sort(np.concatenate(keep.rows_), axis=0)
    estimator.fit(IRIS, SPECIES)
    np.testing.assert_array_equal(np.sort(np.concatenate(keep.rows_), axis=0), first)


def test_warm_start_may_change_the_noise(small):
    estimator = small(warm_start=True, noise=0.5).fit(IRIS)
    n_first = estimator.n_iter_
    assert estimator.set_params(noise=0.1).fit(IRIS).n_iter_ > n_first


@pytest.mark.parametrize(
    "Class, before, after",
    [
        (Autoencoder, {"loss": "mse"}, {"loss": "bce"}),
        (Autoencoder, {"output_activation": "auto"}, {"output_activation": "tanh"}),
        (Autoencoder, {"activation": "relu"}, {"activation": "tanh"}),
        (VariationalAutoencoder, {"scale": 0.5}, {"scale": 1.0}),
        (VariationalAutoencoder, {"scale": "learned"}, {"scale": 1.0}),
    ],
)
def test_warm_start_refuses_what_would_contradict_the_fitted_net(Class, before, after, small):
    X = IRIS / IRIS.max()
    estimator = small(Class, warm_start=True, **before).fit(X)
    rated = estimator.score_samples(X)
    estimator.set_params(**after)
    with pytest.raises(ValueError, match="Fit a clone"):
        estimator.fit(X)
    np.testing.assert_array_equal(estimator.set_params(**before).score_samples(X), rated)


def test_scale_of_a_warm_start_belongs_to_the_scaling_of_the_first_fit(small):
    options = {"feature_scaling": "standard", "warm_start": True}
    estimator = small(VariationalAutoencoder, **options).fit(IRIS)
    estimator.set_params(feature_scaling="global").fit(IRIS)
    assert estimator.scale_.shape == (4,)
    assert len(np.unique(estimator.scale_)) == 4
