"""Losses and penalties compared with their formulas in NumPy."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import expit, gammaln, log_softmax, softmax
from sklearn import metrics

from skdeep.nn import losses


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_squared_error_is_the_mean_over_features(rng):
    x, x_hat = rng.normal(size=(2, 7, 3))
    result = losses.squared_error(torch.from_numpy(x_hat), torch.from_numpy(x))
    np.testing.assert_allclose(result, ((x - x_hat) ** 2).mean(axis=1))


def test_huber_is_quadratic_near_and_linear_far(rng):
    x, x_hat = 2 * rng.normal(size=(2, 50, 3))
    distance = np.abs(x - x_hat)
    assert (distance < 1).any() and (distance > 1).any()
    expected = np.where(distance < 1, distance**2 / 2, distance - 1 / 2).mean(axis=1)
    result = losses.huber(torch.from_numpy(x_hat), torch.from_numpy(x))
    np.testing.assert_allclose(result, expected)


def test_binary_cross_entropy_takes_logits_and_soft_targets(rng):
    x, logits = rng.uniform(size=(7, 3)), rng.normal(size=(7, 3))
    p = expit(logits)
    expected = -(x * np.log(p) + (1 - x) * np.log(1 - p)).mean(axis=1)
    result = losses.binary_cross_entropy(torch.from_numpy(logits), torch.from_numpy(x))
    np.testing.assert_allclose(result, expected)


def test_binary_cross_entropy_is_finite_for_huge_logits():
    logits = torch.tensor([[1e4, -1e4]])
    result = losses.binary_cross_entropy(logits, torch.tensor([[0.0, 1.0]]))
    np.testing.assert_allclose(result, [1e4])


def test_multinomial_weighs_log_probabilities_with_counts(rng):
    counts, logits = rng.poisson(2.0, size=(7, 5)).astype(float), rng.normal(size=(7, 5))
    expected = -(counts * log_softmax(logits, axis=1)).mean(axis=1)
    result = losses.multinomial(torch.from_numpy(logits), torch.from_numpy(counts))
    np.testing.assert_allclose(result, expected)


def test_l1_norm_is_the_mean_absolute_code(rng):
    z = rng.normal(size=(7, 3))
    np.testing.assert_allclose(losses.l1_norm(torch.from_numpy(z)), np.abs(z).mean(axis=1))


def test_contraction_is_the_squared_norm_of_a_finite_difference_jacobian(rng):
    weights, x = rng.normal(size=(3, 5)), rng.normal(size=(4, 5))

    def encode(rows):
        return np.tanh(rows @ weights.T)

    step = 1e-5
    shifted = [encode(x + step * e) - encode(x - step * e) for e in np.eye(5)]
    jacobian = np.stack(shifted) / (2 * step)  # (5, 4, 3)
    tensor = torch.from_numpy(x).requires_grad_()
    penalty = losses.contraction(torch.tanh(tensor @ torch.from_numpy(weights).T), tensor)
    np.testing.assert_allclose(penalty.detach(), (jacobian**2).sum(axis=(0, 2)), rtol=1e-8)


def test_contraction_has_a_gradient_for_the_weights():
    # for z = w x the penalty is w^2 per feature, whose derivative is 2 w
    weight = torch.tensor([0.7, -0.2], dtype=torch.float64, requires_grad=True)
    x = torch.ones(1, 2, dtype=torch.float64, requires_grad=True)
    losses.contraction(x * weight, x).sum().backward()
    np.testing.assert_allclose(weight.grad, [1.4, -0.4])


def test_gaussian_kl_divergence_equals_a_monte_carlo_estimate(rng):
    mean, log_var = rng.normal(size=(2, 5, 3))
    n_draws, scale = 200_000, np.exp(log_var / 2)
    draws = mean + scale * rng.standard_normal((n_draws, 5, 3))
    ratio = stats.norm.logpdf(draws, mean, scale) - stats.norm.logpdf(draws)
    ratio = ratio.sum(axis=2)  # (n_draws, 5)
    standard_error = ratio.std(axis=0) / np.sqrt(n_draws)
    exact = losses.gaussian_kl_divergence(torch.from_numpy(mean), torch.from_numpy(log_var))
    # five estimates, each within four standard errors with probability 0.99994
    assert (np.abs(ratio.mean(axis=0) - exact.numpy()) < 4 * standard_error).all()
    assert (4 * standard_error < 0.05 * exact.numpy()).all()


def test_gaussian_kl_divergence_of_the_prior_from_itself_is_zero():
    zeros = torch.zeros(4, 2)
    assert torch.equal(losses.gaussian_kl_divergence(zeros, zeros), torch.zeros(4))


@pytest.mark.parametrize("n_scales", [1, 4])
def test_gaussian_log_likelihood_equals_scipy(rng, n_scales):
    x, log_scale = rng.normal(size=(6, 4)), rng.normal(size=n_scales)
    mean = rng.normal(size=(3, 6, 4))
    result = losses.gaussian_log_likelihood(*map(torch.from_numpy, (x, mean, log_scale)))
    assert result.shape == (3, 6)
    expected = stats.norm.logpdf(x, mean, np.exp(log_scale)).sum(axis=-1)
    np.testing.assert_allclose(result, expected)


def test_bernoulli_log_likelihood_equals_scipy(rng):
    x, logits = rng.integers(0, 2, size=(6, 4)).astype(float), rng.normal(size=(3, 6, 4))
    result = losses.bernoulli_log_likelihood(torch.from_numpy(x), torch.from_numpy(logits))
    expected = stats.bernoulli.logpmf(x, expit(logits)).sum(axis=-1)
    assert result.shape == (3, 6)
    np.testing.assert_allclose(result, expected)


def test_multinomial_log_likelihood_equals_scipy_without_the_coefficient(rng):
    x, logits = rng.integers(0, 4, size=(6, 4)).astype(float), rng.normal(size=(3, 6, 4))
    result = losses.multinomial_log_likelihood(torch.from_numpy(x), torch.from_numpy(logits))
    n_counts = x.sum(axis=1)
    coefficient = gammaln(n_counts + 1) - gammaln(x + 1).sum(axis=1)
    expected = stats.multinomial.logpmf(x, n_counts, softmax(logits, axis=-1)) - coefficient
    assert result.shape == (3, 6)
    np.testing.assert_allclose(result, expected)


# Losses of predictions ---------------------------------------------------------------------


def per_row(loss, *arrays, **options):
    return loss(*map(torch.from_numpy, arrays), **options).numpy()


def test_mean_squared_error_is_the_mean_of_squared_errors(rng):
    for n_rows in (7, 30_000):  # below and above the size at which the sum is split
        x, x_hat = rng.normal(size=(2, n_rows, 3))
        result = losses.mean_squared_error(torch.from_numpy(x_hat), torch.from_numpy(x))
        assert result.shape == ()
        assert result.item() == pytest.approx(metrics.mean_squared_error(x, x_hat))


def test_absolute_error_is_scikit_learns(rng):
    y, y_hat = rng.normal(size=(2, 7, 3))
    result = per_row(losses.absolute_error, y_hat, y)
    assert result.shape == (7,)
    np.testing.assert_allclose(result, np.abs(y - y_hat).mean(axis=1))
    assert result.mean() == pytest.approx(metrics.mean_absolute_error(y, y_hat))


@pytest.mark.parametrize("quantile", [0.01, 0.1, 0.5, 0.9])
def test_pinball_is_scikit_learns(rng, quantile):
    y, y_hat = rng.normal(size=(2, 7, 3))
    result = per_row(losses.pinball, y_hat, y, quantile=quantile)
    assert result.shape == (7,)
    expected = metrics.mean_pinball_loss(y, y_hat, alpha=quantile)
    assert result.mean() == pytest.approx(expected)
    alone = [metrics.mean_pinball_loss(y[i], y_hat[i], alpha=quantile) for i in range(7)]
    np.testing.assert_allclose(result, alone)


def test_pinball_is_least_at_the_quantile(rng):
    y = rng.lognormal(size=2001)
    grid = np.quantile(y, np.linspace(0.5, 0.95, 46))
    means = [
        per_row(losses.pinball, np.full((2001, 1), guess), y[:, None], quantile=0.8).mean()
        for guess in grid
    ]
    assert grid[np.argmin(means)] == pytest.approx(np.quantile(y, 0.8))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_cross_entropy_is_scikit_learns_of_smoothed_labels(rng, smoothing):
    logits, labels = 3 * rng.normal(size=(50, 4)), rng.integers(0, 4, size=50)
    result = per_row(losses.cross_entropy, logits, labels, label_smoothing=smoothing)
    target = (1 - smoothing) * np.eye(4)[labels] + smoothing / 4
    np.testing.assert_allclose(result, -(target * log_softmax(logits, axis=1)).sum(axis=1))
    if not smoothing:
        expected = metrics.log_loss(labels, softmax(logits, axis=1))
        assert result.mean() == pytest.approx(expected)
