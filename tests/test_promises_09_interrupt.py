"""Promise 9: Ctrl-C during ``fit`` propagates and leaves the estimator as it was before."""

import copy
import inspect
import itertools
import signal
import subprocess
import sys

import pytest
import torch
from skorch.callbacks import Callback

from skdeep.utils import all_estimators

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")

# Fits an unfitted and then a fitted estimator of each class until it is interrupted, checks what is
# left, and lets the last interrupt through. The callback tells the parent when training is under
# way. All classes share one process, since its imports take longer than their fits.
_PROGRAM = """
import copy, inspect
import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from skdeep.utils import all_estimators

torch.set_num_threads(1)


class Announce(Callback):
    def on_train_begin(self, net, **kwargs):
        self.n_epochs = 0

    def on_epoch_begin(self, net, **kwargs):
        self.n_epochs += 1
        if self.n_epochs == 3:
            print("training", flush=True)


X = np.random.default_rng(0).normal(size=(60, 6))
y = np.arange(60) % 2
short = dict(max_epochs=3, warm_start=False, lr=1e-3, callbacks=None)
options = dict(dropout=0.2, hidden_layer_sizes=(8,), n_modes=2, n_iter_no_change=10**9, tol=0.0)
options |= dict(n_clusters=8)


def seen(estimator):
    for name in ("transform", "embed", "score_samples"):
        if hasattr(estimator, name):
            return getattr(estimator, name)(X).tolist()
    return estimator.sample(9, random_state=0)[0].tolist()


def go_on(estimator):
    if hasattr(estimator, "partial_fit"):
        return estimator.partial_fit(X, y)
    return estimator.set_params(warm_start=True).fit(X, y)


def interrupted(estimator, warm_start):
    try:
        estimator.set_params(
            max_epochs=10**7, warm_start=warm_start, lr=1e-2, callbacks=[Announce()]
        ).fit(X, y)
    except KeyboardInterrupt as error:
        return error


for name, Estimator in all_estimators():
    known = inspect.signature(Estimator).parameters
    if "callbacks" not in known:
        continue
    print(name, flush=True)
    small = {name: options[name] for name in options if name in known}
    estimator = Estimator(batch_size=8, random_state=0, device="cpu", **small)
    interrupted(estimator, warm_start=False)
    assert [name for name in vars(estimator) if name.endswith("_")] == []
    try:
        seen(estimator)
    except NotFittedError:
        print("is unfitted", flush=True)
    go_on(estimator.set_params(**short).fit(X, y))
    before = copy.deepcopy(estimator)
    for warm_start in (False, True):
        interrupt = interrupted(estimator, warm_start)
        assert estimator.loss_curve_ == before.loss_curve_
        assert seen(estimator) == seen(before)
        for one in (estimator, before):
            go_on(one.set_params(**short))
        assert estimator.loss_curve_ == before.loss_curve_
        assert seen(estimator) == seen(before)
        print("is as before", flush=True)
raise interrupt
"""


def test_interrupt_propagates_and_leaves_the_estimator_as_it_was(python_command, tmp_path):
    command, environment = python_command(_PROGRAM)
    printed = []
    with subprocess.Popen(
        command,
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for line in process.stdout:
                printed.append(line.strip())
                if line == "training\n":
                    process.send_signal(signal.SIGINT)
            errors = process.stderr.read()
        finally:
            process.kill()
    ends = ["is unfitted", "is as before", "is as before"]
    assert printed == [
        line
        for name, cls in all_estimators()
        if "callbacks" in inspect.signature(cls).parameters
        for line in (name, *itertools.chain(*zip(["training"] * 3, ends, strict=True)))
    ], errors
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")


def _fit(estimator, X, y):
    return estimator.fit(X, y)


@pytest.mark.parametrize("way", ["fit", "train on"])
@pytest.mark.having("callbacks")
@pytest.mark.matrix
def test_fit_that_fails_in_a_callback_leaves_the_estimator_as_it_was(
    way, make_random, train_on, assert_same, X, y
):
    class Fails(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError("the user's own error")

    estimator, expected = make_random().fit(X, y), make_random().fit(X, y)
    train = {"fit": _fit, "train on": train_on}[way]
    with pytest.raises(RuntimeError, match="own error"):
        train(estimator.set_params(callbacks=[Fails()]), X, y)
    assert_same(estimator, expected, X)
    estimator.set_params(callbacks=None)
    assert_same(train_on(estimator, X, y), train_on(expected, X, y), X)


class InterruptedWithoutGradients(Callback):
    """Simulates Ctrl-C during a step of the optimizer."""

    def on_epoch_end(self, net, **kwargs):
        torch.set_grad_enabled(False)
        raise KeyboardInterrupt


@pytest.mark.having("callbacks")
def test_interrupt_in_a_step_leaves_gradients_switched_on(make, X, y):
    with pytest.raises(KeyboardInterrupt):
        make(callbacks=[InterruptedWithoutGradients()]).fit(X, y)
    assert torch.is_grad_enabled()


def test_fit_works_where_the_user_switched_gradients_off(make, X, y, assert_same):
    expected = make().fit(X, y)
    with torch.no_grad():
        assert_same(make().fit(X, y), expected, X)
        assert not torch.is_grad_enabled()


class InterruptLater(Callback):
    """Interrupts at the second call of a hook."""

    def __init__(self, hook):
        self.hook, self.n_calls = hook, 0

    def _count(self, hook):
        self.n_calls += hook == self.hook
        if self.n_calls == 2:
            raise KeyboardInterrupt

    def on_epoch_begin(self, net, **kwargs):
        self._count("on_epoch_begin")

    def on_epoch_end(self, net, **kwargs):
        self._count("on_epoch_end")

    def on_batch_begin(self, net, **kwargs):
        self._count("on_batch_begin")

    def on_batch_end(self, net, **kwargs):
        self._count("on_batch_end")


@pytest.mark.parametrize(
    "hook", ["on_batch_begin", "on_batch_end", "on_epoch_begin", "on_epoch_end"]
)
@pytest.mark.having("callbacks")
@pytest.mark.matrix
def test_training_goes_on_after_an_interrupt_as_if_there_had_been_none(
    hook, Estimator, make, X, y, train_on, assert_same_state
):
    fitted = make(max_epochs=3).fit(X, y)
    expected = train_on(copy.deepcopy(fitted), X, y)
    fitted.set_params(callbacks=[InterruptLater(hook)])
    if hook.startswith("on_epoch") and hasattr(fitted, "partial_fit"):
        fitted.set_params(warm_start=True)
        with pytest.raises(KeyboardInterrupt):
            fitted.fit(X, y)
        fitted.set_params(warm_start=False)
    else:
        with pytest.raises(KeyboardInterrupt):
            train_on(fitted, X, y)
    fitted.set_params(callbacks=None)
    assert_same_state(train_on(fitted, X, y), expected)
