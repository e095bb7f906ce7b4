"""DiffusionTimeDetector: the noise that is added, and the noise that is predicted."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from skdeep.outlier_detection import DiffusionTimeDetector


def detector(contamination="auto", **parameters):
    plain = {"hidden_layer_sizes": (64, 64), "device": "cpu", "random_state": 0}
    return DiffusionTimeDetector(contamination, **{**plain, **parameters})


def levels_by_hand(n_steps):
    """Equation of the forward process: variance of the noise after each step."""
    variance, kept = [], 1.0
    for step in range(n_steps):
        kept *= 1 - (1e-4 + (1e-2 - 1e-4) * step / max(n_steps - 1, 1))
        variance.append(1 - kept)
    return np.sqrt(variance)


@pytest.mark.parametrize("n_steps", [7, 10, 400])
def test_noise_levels_are_those_of_the_forward_process(n_steps):
    fitted = detector(n_steps=n_steps, max_epochs=1).fit(np.eye(10))
    np.testing.assert_allclose(fitted.noise_levels_, levels_by_hand(n_steps), rtol=1e-12)


def test_noisy_samples_and_their_bins_follow_the_forward_process():
    n_steps, n_bins, n_rows = 400, 7, 20_000
    fitted = detector(n_steps=n_steps, n_bins=n_bins, max_epochs=1).fit(np.eye(10)[:, :2])
    seen = []
    hook = fitted.module_.layers.register_forward_pre_hook(lambda _, rows: seen.append(rows[0]))
    with torch.no_grad():
        output = fitted.module_(torch.zeros(n_rows, 2))
    hook.remove()
    noise, bins = seen[0].numpy(), output.bins.numpy()
    # steps are uniform, so that each bin holds the steps with floor(7 t / 400) equal to it
    member = np.arange(n_steps) * n_bins // n_steps
    share = np.bincount(member) / n_steps
    np.testing.assert_allclose(np.bincount(bins) / n_rows, share, atol=0.01)
    for number in range(n_bins):
        variance = np.square(levels_by_hand(n_steps)[member == number]).mean()
        assert np.var(noise[bins == number]) == pytest.approx(variance, rel=0.1)
        assert abs(noise[bins == number].mean()) < 5 * np.sqrt(variance / n_rows * n_bins)
    last = noise[bins == n_bins - 1].ravel()
    assert kstest(last / last.std(), "norm").pvalue > 0.01


def test_predicted_noise_increases_with_the_noise_of_samples():
    rng = np.random.default_rng(0)
    plane = np.linalg.qr(rng.normal(size=(8, 2)))[0]
    X = rng.normal(size=(400, 2)) @ plane.T
    fitted = detector().fit(X)
    steps = [20, 100, 200, 300, 399]
    unit = X.std(axis=0)
    noisy = [X + fitted.noise_levels_[step] * unit * rng.normal(size=X.shape) for step in steps]
    means = [-fitted.score_samples(one).mean() for one in noisy]
    assert (np.diff(means) > 0).all()
    assert means[0] < 0.15  # the first bin
    assert means[-1] > 0.65  # the expected bin as a fraction of the last one


def test_scores_are_between_minus_one_and_zero():
    X = np.random.default_rng(0).normal(size=(100, 3))
    scores = detector(max_epochs=50).fit(X).score_samples(np.vstack([X, 100 * X]))
    assert scores.min() >= -1 and scores.max() <= 0


@pytest.mark.parametrize("n_bins", [2, 7, 50])
def test_any_number_of_bins_works(n_bins):
    X = np.random.default_rng(0).normal(size=(100, 3))
    fitted = detector(n_bins=n_bins, max_epochs=200).fit(X)
    assert fitted.score_samples([[9.0, -9.0, 9.0]])[0] < np.median(fitted.score_samples(X))


def test_more_bins_than_steps_are_an_error():
    with pytest.raises(ValueError, match=r"n_steps must be >= n_bins; got n_steps=5 and n_bins=7"):
        detector(n_steps=5).fit(np.eye(5))


@pytest.mark.parametrize(
    "name, value", [("n_bins", 1), ("n_steps", 0), ("dropout", 1.0), ("lr", 0.0)]
)
def test_parameters_out_of_range_are_errors_that_name_them(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        detector(**{name: value}).fit(np.eye(5))
