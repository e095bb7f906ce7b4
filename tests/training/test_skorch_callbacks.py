"""skorch callbacks and the history."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, TrainEndCheckpoint

pytestmark = pytest.mark.having("callbacks")

IRIS, SPECIES = load_iris(return_X_y=True)


class RecordBatches(Callback):
    """Records the batches."""

    def on_train_begin(self, net, **kwargs):
        self.begun_, self.ended_ = [], []

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        self.begun_.append((training, len(batch.x)))

    def on_batch_end(self, net, batch=None, training=None, loss=None, **kwargs):
        self.ended_.append((training, len(batch.x), loss.item()))


class CountEpochs(Callback):
    """Counts epochs without listening to batches."""

    def on_train_begin(self, net, **kwargs):
        self.hooks_ = ["train begin"]

    def on_epoch_begin(self, net, **kwargs):
        self.hooks_.append("epoch begin")

    def on_epoch_end(self, net, **kwargs):
        self.hooks_.append("epoch end")

    def on_train_end(self, net, **kwargs):
        self.hooks_.append("train end")


class StopAfter(Callback):
    """Ends training after an epoch."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.n_epochs:
            net.request_stop()


@pytest.mark.nets({"split": {"early_stopping": True}})
def test_callback_sees_every_batch(params, Class, small):
    batches = RecordBatches()
    small(Class, batch_size=40, callbacks=[batches], **params).fit(IRIS, SPECIES)
    epoch = [(True, 34), (True, 34), (True, 34), (True, 33), (False, 15)]
    assert batches.begun_ == 5 * epoch
    assert [end[:2] for end in batches.ended_] == batches.begun_


@pytest.mark.parametrize("n_rows, sizes", [(80, {40}), (81, {27}), (82, {27, 28})])
def test_batches_of_an_epoch_are_of_equal_size(n_rows, sizes, Class, small):
    is_game = "ema_decay" in Class().get_params()  # batches are drawn with replacement
    batches = RecordBatches()
    small(Class, batch_size=40, callbacks=[batches]).fit(IRIS[:n_rows], SPECIES[:n_rows])
    trained = {size for is_training, size in batches.begun_ if is_training}
    assert trained == ({40} if is_game else sizes)


@pytest.mark.nets({"split": {"early_stopping": True, "validation_fraction": 0.15}})
@pytest.mark.parametrize("batch_size", [1, 4, 7, 100, 149, 150])
def test_an_epoch_has_as_many_batches_with_held_out_samples(batch_size, params, Class, small):
    batches = RecordBatches()
    small(Class, batch_size=batch_size, max_epochs=1, callbacks=[batches], **params).fit(
        IRIS, SPECIES
    )
    sizes = [size for is_training, size in batches.begun_ if is_training]
    n_held_out = sum(size for is_training, size in batches.begun_ if not is_training)
    assert len(sizes) == min(-(-150 // batch_size), 150 - n_held_out)
    assert max(sizes) - min(sizes) <= 1


def test_equal_samples_are_not_merged_where_an_epoch_has_several_batches(small):
    batches = RecordBatches()
    X = np.repeat([[0.0, 1.0], [1.0, 0.0]], [100, 170], axis=0)
    small(batch_size=256, early_stopping=True, callbacks=[batches]).fit(X)
    assert [size for is_training, size in batches.begun_ if is_training] == 5 * [122, 121]


@pytest.mark.having("ema_decay")
def test_callback_sees_every_batch_of_a_game(Class, small):
    batches = RecordBatches()
    estimator = small(Class, batch_size=40, callbacks=[batches]).fit(IRIS, SPECIES)
    # drawn with replacement, all of one size
    assert batches.begun_ == 5 * 4 * [(True, 40)]
    assert [end[:2] for end in batches.ended_] == batches.begun_
    # of the generator, whose loss the curve shows, and of the critic
    assert len(estimator.loss_curve_) == len(estimator.critic_loss_curve_) == 5


def test_callback_sees_the_losses_that_make_the_curve(Class, small):
    batches = RecordBatches()
    estimator = small(Class, batch_size=40, callbacks=[batches]).fit(IRIS, SPECIES)
    sizes, losses = np.array([end[1:] for end in batches.ended_]).reshape(5, 4, 2).T
    expected = np.average(losses, axis=0, weights=sizes)
    np.testing.assert_allclose(estimator.loss_curve_, expected, rtol=1e-6)


@pytest.mark.nets(
    {
        "all rows": {},
        "split": {"early_stopping": True},
        "dropout": {"lr_schedule": "onecycle", "dropout": 0.2},
        "slopes": {"loss": "wgan-gp", "n_critic": 3},
        "spectral norm": {"spectral_norm": True, "gradient_clip_value": 1.0},
    }
)
@pytest.mark.matrix
def test_a_callback_that_listens_to_batches_changes_nothing(params, Class, assert_same, small):
    alone = small(Class, batch_size=40, **params).fit(IRIS, SPECIES)
    watched = small(Class, batch_size=40, callbacks=[RecordBatches()], **params)
    assert_same(watched.fit(IRIS, SPECIES), alone, IRIS)


def test_callbacks_see_epochs_in_order_and_may_have_names(Class, small):
    counter = CountEpochs()
    small(Class, callbacks=[("counter", counter)]).fit(IRIS, SPECIES)
    assert counter.hooks_ == ["train begin", *5 * ["epoch begin", "epoch end"], "train end"]


def test_skorchs_early_stopping_ends_training_in_good_order(Class, assert_same, small):
    options = {"patience": 3, "threshold": 1e6, "threshold_mode": "abs", "sink": lambda _: None}
    stopping = EarlyStopping(monitor="train_loss", **options)
    counter = CountEpochs()
    estimator = small(Class, max_epochs=50, callbacks=[stopping, counter]).fit(IRIS, SPECIES)
    # patience counts the first epoch as an improvement, for whatever threshold
    assert 3 <= estimator.n_iter_ <= 4
    assert counter.hooks_[-1] == "train end"
    assert_same(estimator, small(Class, max_epochs=estimator.n_iter_).fit(IRIS, SPECIES), IRIS)


@pytest.mark.nets({"all": {}, "split": {"early_stopping": True, "n_iter_no_change": 50}})
@pytest.mark.matrix
def test_a_callback_may_end_training_and_best_weights_still_come_back(
    params, Class, assert_same, small
):
    options = {**params, "batch_size": 32}
    stopped = small(Class, max_epochs=50, callbacks=[StopAfter(7)], **options).fit(IRIS, SPECIES)
    assert stopped.n_iter_ == 7
    assert_same(stopped, small(Class, max_epochs=7, **options).fit(IRIS, SPECIES), IRIS)


@pytest.mark.nets({"refit": {"early_stopping": True, "refit_full": True}})
def test_callbacks_see_only_the_training_that_finds_the_best_epoch(params, Class, small):
    counter, batches = CountEpochs(), RecordBatches()
    small(Class, batch_size=100, callbacks=[counter, batches], **params).fit(IRIS, SPECIES)
    assert counter.hooks_ == ["train begin", *5 * ["epoch begin", "epoch end"], "train end"]
    assert batches.begun_ == 5 * [(True, 68), (True, 67), (False, 15)]


@pytest.mark.parametrize("hook", ["on_batch_end", "on_epoch_end"])
@pytest.mark.matrix
def test_an_interrupt_inside_a_callback_propagates(hook, Class, small):
    class Interrupt(Callback):
        pass

    def interrupt(self, net, **kwargs):
        raise KeyboardInterrupt

    setattr(Interrupt, hook, interrupt)

    estimator = small(Class, callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(IRIS, SPECIES)
    assert not hasattr(estimator, "net_")


def test_an_error_in_a_callback_propagates_and_leaves_the_estimator_unfitted(Class, small):
    class Fail(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError("no more disk")

    estimator = small(Class, callbacks=[Fail()])
    with pytest.raises(RuntimeError, match="no more disk"):
        estimator.fit(IRIS, SPECIES)
    assert not hasattr(estimator, "net_")


@pytest.mark.nets({"all rows": {}, "split": {"early_stopping": True}})
def test_history_is_kept(params, Class, small):
    estimator = small(Class, **params).fit(IRIS, SPECIES)
    history = estimator.net_.history
    assert len(history) == 5
    assert history[:, "epoch"] == [1, 2, 3, 4, 5]
    assert history[:, "train_loss"] == estimator.loss_curve_
    if params:
        assert history[:, "valid_loss"] == estimator.validation_loss_curve_
    assert min(history[:, "dur"]) > 0
    assert [row["train_loss"] for row in estimator.history_] == estimator.loss_curve_


def test_history_has_batches_for_callbacks_that_listen_to_them(small):
    ae = small(batch_size=40, callbacks=[RecordBatches()]).fit(IRIS, SPECIES)
    sizes = ae.net_.history[:, "batches", :, "train_batch_size"]
    assert sizes == 5 * [[38, 38, 37, 37]]


def test_callbacks_that_are_no_list_are_refused(small):
    with pytest.raises(ValueError, match="The 'callbacks' parameter of Autoencoder must be"):
        small(callbacks=RecordBatches()).fit(IRIS, SPECIES)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_checkpoints_of_skorch_hold_the_best_epoch(early_stopping, tmp_path, small):
    monitor = "valid_loss_best" if early_stopping else "train_loss_best"
    callbacks = [
        Checkpoint(monitor=monitor, dirname=tmp_path / "best"),
        TrainEndCheckpoint(dirname=tmp_path / "last"),
    ]
    estimator = small(early_stopping=early_stopping, callbacks=callbacks).fit(IRIS)
    saved = torch.load(tmp_path / "best" / "params.pt", weights_only=True)
    restored = small(early_stopping=early_stopping, max_epochs=1).fit(IRIS)
    restored.module_.load_state_dict(saved)
    curve = estimator.validation_loss_curve_ if early_stopping else estimator.loss_curve_
    assert (tmp_path / "last").is_dir()
    if early_stopping or np.argmin(curve) == len(curve) - 1:
        np.testing.assert_array_equal(restored.transform(IRIS), estimator.transform(IRIS))
