"""Losses of clusters equal their formulas, and adversarial views finite differences."""

import numpy as np
import torch
from scipy.stats import entropy

from skdeep.nn import losses

RNG = np.random.default_rng(0)


def distributions(n_rows=20, n_clusters=4):
    p = RNG.dirichlet(np.ones(n_clusters), size=n_rows)
    return p, torch.from_numpy(np.log(p))


def test_divergences_and_entropy_match_scipy():
    (p, log_p), (q, log_q) = distributions(), distributions()
    there, back = entropy(p, q, axis=1), entropy(q, p, axis=1)
    np.testing.assert_allclose(losses.divergence(log_p, log_q), there)
    np.testing.assert_allclose(losses.symmetric_divergence(log_p, log_q), (there + back) / 2)
    np.testing.assert_allclose(losses.entropy(log_p), entropy(p, axis=1))


def test_the_information_of_rows_matches_the_joint_distribution():
    p, log_p = distributions()
    joint = p / len(p)
    information = entropy(joint.ravel()) * -1 + entropy(joint.sum(axis=0)) + np.log(len(p))
    marginal = losses.weighted_mean(log_p.exp())
    found = np.log(4) - losses.divergence_from_prior(marginal) - losses.entropy(log_p).mean()
    np.testing.assert_allclose(found, information)


def test_weights_count_like_repeated_rows():
    p, _ = distributions(6)
    weight = np.array([1, 2, 1, 3, 1, 1])
    found = losses.weighted_mean(torch.from_numpy(p), torch.from_numpy(weight))
    np.testing.assert_allclose(found, np.repeat(p, weight, axis=0).mean(axis=0))


def test_the_adversarial_direction_is_that_of_finite_differences():
    weight = torch.from_numpy(RNG.normal(size=(5, 3)))
    x, probe = torch.from_numpy(RNG.normal(size=(2, 4, 5)))

    def log_p(x):
        return (x.tanh() @ weight).log_softmax(dim=1)

    def change(probe):
        return entropy(log_p(x).exp(), log_p(x + probe).exp(), axis=1)

    steps = 1e-5 * torch.eye(5, dtype=torch.float64)
    gradient = np.stack([change(probe + one) - change(probe - one) for one in steps], axis=1)
    expected = gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    found = losses.adversarial_direction(log_p, x, probe)
    np.testing.assert_allclose(found, expected, atol=1e-6)
