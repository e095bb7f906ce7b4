"""Optimizers, schedules and precision compared with hand-written torch loops."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from skorch.callbacks import Callback, Initializer
from torch import nn

from skdeep.decomposition import Autoencoder, VariationalAutoencoder

IRIS = load_iris().data - load_iris().data.mean(axis=0)


class RememberStart(Callback):
    """Keeps a copy of the initial module."""

    def on_train_begin(self, net, **kwargs):
        self.module_ = copy.deepcopy(net.module_)


class RecordSteps(Callback):
    """Records the learning rate after each batch and each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.per_batch_, self.per_epoch_ = [], []

    def on_batch_begin(self, net, training=None, **kwargs):
        if training:
            self.per_batch_.append(net.optimizer_.param_groups[0]["lr"])

    def on_epoch_begin(self, net, **kwargs):
        self.per_epoch_.append(net.optimizer_.param_groups[0]["lr"])


def full_batch(**parameters):
    """Autoencoder with full batches and without scaling."""
    defaults = {
        "hidden_layer_sizes": (8,),
        "feature_scaling": None,
        "batch_size": 1000,
        "max_epochs": 30,
        "lr": 1e-2,
        "tol": 0,
        "device": "cpu",
        "random_state": 0,
    }
    return Autoencoder(2, **{**defaults, **parameters})


def hand_written_loop(module, make_optimizer, n_epochs=30, clip=None, schedule=None):
    """Loss of each epoch of a plain torch loop that starts from the module's weights."""
    net = copy.deepcopy(module).train()
    optimizer = make_optimizer(net.parameters())
    schedule = schedule(optimizer) if schedule else None
    x, losses = torch.from_numpy(IRIS).float(), []

    def closure():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x).reconstruction, x)
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        return loss

    for _ in range(n_epochs):
        losses.append(optimizer.step(closure).item())
        if schedule:
            schedule.step()
    return losses


class SignDescent(torch.optim.Optimizer):
    """A user-defined optimizer without weight decay."""

    def __init__(self, params, lr=1e-3):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter -= group["lr"] * parameter.grad.sign()
        return loss


class Still(torch.optim.Optimizer):
    """An optimizer that never updates the weights."""

    def __init__(self, params, lr=1e-3):
        super().__init__(params, {"lr": lr})

    def step(self, closure=None):
        return None if closure is None else closure()


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=1e-2, momentum=0.9, nesterov=True)


CASES = {
    "adamw": ({}, lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0)),
    "adamw with decay": (
        {"weight_decay": 0.1},
        lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.1),
    ),
    "adam with decay": (
        {"optimizer": "adam", "weight_decay": 0.1},
        lambda p: torch.optim.Adam(p, lr=1e-2, weight_decay=0.1),
    ),
    "sgd": ({"optimizer": "sgd"}, sgd),
    "RMSprop": ({"optimizer": torch.optim.RMSprop}, lambda p: torch.optim.RMSprop(p, lr=1e-2)),
    "LBFGS": (
        {"optimizer": torch.optim.LBFGS, "lr": 0.1, "max_epochs": 3},
        lambda p: torch.optim.LBFGS(p, lr=0.1),
    ),
    "user's own": ({"optimizer": SignDescent}, lambda p: SignDescent(p, lr=1e-2)),
}


@pytest.mark.parametrize("options, make_optimizer", CASES.values(), ids=CASES)
def test_loss_curve_equals_that_of_a_hand_written_loop(options, make_optimizer):
    start = RememberStart()
    ae = full_batch(callbacks=[start], **options).fit(IRIS)
    expected = hand_written_loop(start.module_, make_optimizer, ae.max_epochs)
    assert expected[-1] < 0.9 * expected[0]
    np.testing.assert_allclose(ae.loss_curve_, expected, rtol=1e-4)


def test_clipped_loss_curve_equals_that_of_a_hand_written_loop():
    start = RememberStart()
    ae = full_batch(optimizer="sgd", gradient_clip_value=0.1, callbacks=[start]).fit(IRIS)
    expected = hand_written_loop(start.module_, sgd, clip=0.1)
    np.testing.assert_allclose(ae.loss_curve_, expected, rtol=1e-4)
    free = hand_written_loop(start.module_, sgd)
    assert not np.allclose(free, expected, rtol=1e-2)


def test_cosine_loss_curve_equals_that_of_a_hand_written_loop():
    start = RememberStart()
    ae = full_batch(optimizer="sgd", lr_schedule="cosine", callbacks=[start]).fit(IRIS)
    expected = hand_written_loop(
        start.module_,
        sgd,
        schedule=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30),
    )
    np.testing.assert_allclose(ae.loss_curve_, expected, rtol=1e-4)


# Schedules ---------------------------------------------------------------------------------


def step_sizes(lr_schedule, **parameters):
    steps = RecordSteps()
    full_batch(lr_schedule=lr_schedule, callbacks=[steps], **parameters).fit(IRIS)
    return np.array(steps.per_batch_), np.array(steps.per_epoch_)


def test_constant_schedule_keeps_the_step_size():
    per_batch, _ = step_sizes("constant", batch_size=50)
    np.testing.assert_array_equal(per_batch, np.full(90, 1e-2))


def test_cosine_schedule_falls_to_zero_over_all_batches():
    per_batch, _ = step_sizes("cosine", batch_size=50)
    expected = 1e-2 * (1 + np.cos(np.pi * np.arange(90) / 90)) / 2
    np.testing.assert_allclose(per_batch, expected, rtol=1e-9)


def test_onecycle_schedule_rises_to_lr_and_falls():
    per_batch, _ = step_sizes("onecycle", batch_size=50)
    assert len(per_batch) == 90
    peak = per_batch.argmax()
    assert per_batch[peak] == pytest.approx(1e-2, rel=0.01)
    assert 0.2 * 90 < peak < 0.4 * 90
    assert (np.diff(per_batch[:peak]) > 0).all() and (np.diff(per_batch[peak + 1 :]) < 0).all()
    assert per_batch[0] < 1e-3 and per_batch[-1] < 1e-4


@pytest.mark.parametrize("early_stopping", [False, True])
def test_plateau_schedule_divides_by_five_when_the_loss_stalls(early_stopping):
    # no weight moves: the loss stalls from the first epoch on
    _, per_epoch = step_sizes(
        "plateau",
        optimizer=Still,
        n_iter_no_change=4,
        max_epochs=9,
        early_stopping=early_stopping,
    )
    # epochs 2, 3 and 4 are one more than n_iter_no_change // 2 without improvement
    np.testing.assert_allclose(per_epoch, 1e-2 / 5 ** np.array([0, 0, 0, 0, 1, 1, 1, 2, 2]))


@pytest.mark.parametrize("scale", [1e-2, 1e2])
def test_plateau_schedule_acts_on_losses_of_either_sign(scale):
    steps, zeros = RecordSteps(), Initializer("*", fn=nn.init.zeros_)
    vae = VariationalAutoencoder(2, scale=scale, feature_scaling=None, optimizer=Still, lr=1.0)
    vae.set_params(lr_schedule="plateau", n_iter_no_change=4, max_epochs=6, batch_size=1000)
    vae.set_params(device="cpu", random_state=0, callbacks=[steps, zeros])
    vae.fit(np.zeros((20, 4)))
    # codes and reconstructions are zero: the loss is the logarithm of the density's height
    expected = np.log(scale * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(vae.loss_curve_, 4 * expected, rtol=1e-5)
    np.testing.assert_allclose(steps.per_epoch_[:5], [1.0, 1.0, 1.0, 1.0, 0.2])


def test_every_schedule_trains():
    first = full_batch(max_epochs=1).fit(IRIS).loss_curve_[0]
    for name in ("constant", "cosine", "onecycle", "plateau"):
        ae = full_batch(lr_schedule=name, batch_size=32).fit(IRIS)
        assert ae.loss_curve_[-1] < 0.5 * first


def test_schedule_starts_anew_with_warm_start_and_partial_fit_keeps_lr():
    steps = RecordSteps()
    ae = full_batch(lr_schedule="cosine", warm_start=True, callbacks=[steps]).fit(IRIS)
    ae.fit(IRIS)
    assert steps.per_epoch_[0] == pytest.approx(1e-2) and steps.per_epoch_[-1] < 1e-4
    ae.partial_fit(IRIS)
    assert steps.per_epoch_ == [1e-2]


# Precision and compilation -----------------------------------------------------------------


@pytest.mark.parametrize("Class", [Autoencoder, VariationalAutoencoder])
def test_bf16_mixed_trains_nearly_as_float32_does(Class):
    common = {"max_epochs": 15, "lr": 1e-2, "device": "cpu", "random_state": 0}
    full = Class(**common).fit(IRIS)
    mixed = Class(precision="bf16-mixed", **common).fit(IRIS)
    # bfloat16 has 8 bits: each epoch's loss is known to some per cent
    np.testing.assert_allclose(mixed.loss_curve_, full.loss_curve_, rtol=0.1, atol=0.1)
    assert mixed.loss_curve_ != full.loss_curve_
    assert mixed.transform(IRIS).dtype == np.float64
    assert mixed.transform(IRIS.astype(np.float32)).dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("Class", [Autoencoder, VariationalAutoencoder])
@pytest.mark.filterwarnings("default")  # torch's compiler raises and swallows warnings of its own
def test_compiled_training_equals_plain_training(Class):
    common = {"max_epochs": 3, "device": "cpu", "random_state": 0, "batch_size": 50}
    plain = Class(**common).fit(IRIS)
    compiled = Class(compile=True, **common).fit(IRIS)
    np.testing.assert_allclose(compiled.loss_curve_, plain.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(compiled.transform(IRIS), plain.transform(IRIS), atol=1e-3)


# Errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["AdamW", "rmsprop", dict, torch.nn.Linear, 3, None])
@pytest.mark.having("optimizer")
def test_what_is_no_optimizer_is_refused_with_the_names_of_those_that_are(wrong, make, X, y):
    names = r"\{'adam', 'adamw', 'sgd'\}, in lower case, or a subclass of torch.optim.Optimizer"
    with pytest.raises(ValueError, match=f"The 'optimizer' parameter of .* must be .*{names}. Got"):
        make(optimizer=wrong).fit(X, y)


def test_no_parameter_asks_for_an_instance_of_type(Estimator, X, y):
    for name in Estimator().get_params():
        estimator = Estimator(**{name: object()})
        with pytest.raises(ValueError) as error:
            estimator.fit(X, y)
        assert "'type'" not in str(error.value)


def test_weight_decay_needs_an_optimizer_that_has_it():
    with pytest.raises(ValueError, match=r"weight_decay=0.1 and optimizer=SignDescent.*Set weight"):
        full_batch(optimizer=SignDescent, weight_decay=0.1).fit(IRIS)


@pytest.mark.parametrize(
    "parameters",
    [
        {"optimizer": "rmsprop"},
        {"lr_schedule": "step"},
        {"precision": "float16"},
        {"gradient_clip_value": 0},
        {"lr": 0},
        {"weight_decay": -1},
    ],
    ids=str,
)
def test_unknown_names_and_ranges_are_refused(parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter of Autoencoder must be"):
        full_batch(**parameters).fit(IRIS)
