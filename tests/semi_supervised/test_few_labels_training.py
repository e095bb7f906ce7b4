"""The loss equals its formula, and every batch has labelled samples."""

import numpy as np
import pytest
from scipy.stats import entropy
from skorch.callbacks import Callback

from skdeep.semi_supervised import FewLabelsClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 5))


class Recorder(Callback):
    """Keeps the targets of all batches, and the outputs, losses and gradients of steps."""

    def __init__(self):
        self.batches, self.steps, self.gradients = [], [], []

    def on_batch_begin(self, net, batch=None, **kwargs):
        self.batches.append(batch)

    def on_batch_end(self, net, y_pred=None, loss=None, terms=None, **kwargs):
        self.steps.append((y_pred, loss.item(), {name: terms[name].item() for name in terms}))
        self.gradients.append(net.module_.head.bias.grad.numpy(force=True).copy())


def record(y, sample_weight=None, **params):
    recorder = Recorder()
    small = {"n_components": 16, "max_epochs": 1, "device": "cpu", "random_state": 0}
    FewLabelsClassifier(**{**small, **params}, callbacks=[recorder]).fit(X, y, sample_weight)
    return recorder


def labels(n_labels):
    y = np.full(100, -1)
    y[:n_labels] = np.arange(n_labels) % 2
    return y


@pytest.mark.parametrize("n_labels", [1, 2, 7, 40, 99])
@pytest.mark.parametrize("batch_size", [1, 3, 16, 99])
def test_every_batch_has_labelled_samples_and_every_sample_is_visited(n_labels, batch_size):
    y = labels(n_labels)
    batches = record(y, batch_size=batch_size).batches
    assert all((batch.y[:, 0] >= 0).any() for batch in batches)
    n_unlabelled = sum(int((batch.y[:, 0] < 0).sum()) for batch in batches)
    assert n_unlabelled == 100 - n_labels


def test_labelled_samples_take_turns():
    batches = record(labels(10), batch_size=20).batches
    added = [len(batch.x) - 20 for batch in batches]
    assert added == [3] * 5  # a quarter of 20, of which two are there already
    assert sum(int((batch.y[:, 0] >= 0).sum()) for batch in batches) == 10 + 15


def test_no_labelled_samples_are_added_if_all_have_a_label():
    assert [len(batch.x) for batch in record(np.arange(100) % 2, batch_size=20).batches] == [20] * 5


@pytest.mark.parametrize("invariance", ["neighbors", "noise"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_the_loss_matches_its_formula(invariance, is_weighted):
    y, weight = labels(30), RNG.uniform(0.5, 2, size=100) if is_weighted else None
    params = {"invariance_weight": 0.7, "information_weight": 0.4, "balance_weight": 3.0}
    params |= {"class_prior": [0.3, 0.7], "invariance": invariance}
    recorder = record(y, weight, batch_size=100, **params)
    ((output, loss, terms),), (batch,) = recorder.steps, recorder.batches
    clean, view = (np.exp(one.numpy(force=True)) for one in (output.clean, output.views[0]))
    w = np.ones(100) if weight is None else batch.weight.numpy()
    code = batch.y[:, 0].numpy().astype(int)
    given = code >= 0
    log_p = np.log(clean[given, code[given]])
    expected = {"cross_entropy": -np.average(log_p, weights=w[given])}
    there, back = entropy(clean, view, axis=1), entropy(view, clean, axis=1)
    expected["invariance"] = 0.7 * np.average((there + back) / 2, weights=w)
    both = entropy(clean, axis=1) + entropy(view, axis=1)
    expected["uncertainty"] = 0.4 * np.average(both / 2, weights=w)
    fractions = np.average((clean + view) / 2, axis=0, weights=w)
    expected["imbalance"] = 0.4 * 3.0 * entropy(fractions, [0.3, 0.7])
    for name, value in expected.items():
        assert terms[name] == pytest.approx(value, rel=1e-3, abs=1e-6), name
    assert loss == pytest.approx(sum(expected.values()), rel=1e-3)


def test_the_gradient_of_the_labels_is_that_of_softmax_regression():
    params = {"invariance_weight": 0.0, "information_weight": 0.0, "batch_size": 100}
    recorder = record(labels(30), **params)
    (step,), (batch,), (gradient,) = recorder.steps, recorder.batches, recorder.gradients
    p, code = step[0].clean.exp().numpy(force=True), batch.y[:, 0].numpy().astype(int)
    expected = (p - np.eye(2)[code])[code >= 0].mean(axis=0)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-6)
