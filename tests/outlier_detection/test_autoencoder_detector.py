"""AutoencoderOutlierDetector: the ensemble as a stack, trimming, scales of errors."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from skdeep.outlier_detection import AutoencoderOutlierDetector

PLAIN = {"device": "cpu", "random_state": 0}


def detector(contamination="auto", **parameters):
    return AutoencoderOutlierDetector(contamination, **{**PLAIN, **parameters})


def blobs_with_cluster(n_inliers=400, n_outliers=100, seed=0):
    """Correlated samples, a cluster of outliers beside them, and a mask of the latter."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_inliers, 2)) @ rng.normal(size=(2, 6))
    X += 0.1 * rng.normal(size=X.shape)
    away = rng.normal(size=(n_outliers, 6)) + 3 * rng.normal(size=6)
    return np.vstack([X, away]), np.arange(n_inliers + n_outliers) >= n_inliers


# One stack ---------------------------------------------------------------------------------


def _layers(module, number):
    """Plain layers of torch with the weights of one net of a fitted ensemble."""
    weights = [tensor[number].detach().clone() for tensor in module.state_dict().values()]
    layers = []
    for weight, bias in zip(weights[::2], weights[1::2], strict=True):
        layer = torch.nn.Linear(*weight.shape[::-1])
        layer.weight.data, layer.bias.data = weight, bias
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def _train(net, X, n_nets, n_epochs, trim):
    """Train a plain autoencoder by hand, without the samples of largest error."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=0.0)
    n_kept = round((1 - trim) * len(X))
    for _ in range(n_epochs):
        errors = (net(X) - X).square().mean(dim=1)
        optimizer.zero_grad()
        (errors.sort().values[:n_kept].mean() / n_nets).backward()  # the loss is a mean of nets
        optimizer.step()
    return net


@pytest.mark.parametrize("trim", [0.0, 0.2])
@pytest.mark.parametrize("hidden_layer_sizes", [(3,), (8, 3), ()])
def test_nets_of_the_stack_equal_nets_that_are_trained_one_by_one(trim, hidden_layer_sizes):
    X = np.random.default_rng(0).normal(size=(50, 5))
    X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
    options = {"n_estimators": 3, "noise": 0.0, "trim": trim, "lr_schedule": "constant"}
    options |= {"hidden_layer_sizes": hidden_layer_sizes, "feature_scaling": None}
    start = detector(**options, max_epochs=1, lr=1e-30).fit(X).module_
    fitted = detector(**options, max_epochs=20).fit(X)
    rows = torch.from_numpy(X)
    with torch.no_grad():
        together = fitted.module_.reconstruct(rows)
    for number, reconstruction in enumerate(together):
        net = _train(_layers(start, number), rows, 3, 20, trim)
        torch.testing.assert_close(net(rows), reconstruction, rtol=1e-4, atol=1e-5)


def test_first_nets_are_those_of_a_smaller_ensemble():
    X = np.random.default_rng(0).normal(size=(60, 4))
    options = {"noise": 0.0, "batch_size": 100, "max_epochs": 10}
    scores = {n: detector(n_estimators=n, **options).fit(X).score_samples(X) for n in (1, 2, 4)}
    second = 2 * scores[2] ** 2 - scores[1] ** 2  # squared errors of the second net
    assert second.min() > 0
    assert 0.1 < np.corrcoef(second, scores[1] ** 2)[0, 1] < 0.999
    others = 4 * scores[4] ** 2 - 2 * scores[2] ** 2  # of the third and the fourth one
    assert others.min() > 0


def test_scores_are_mean_errors_in_units_of_the_errors_of_training_samples():
    X = np.random.default_rng(0).normal(size=(80, 4))
    options = {"n_estimators": 2, "noise": 0.5, "trim": 0.0, "feature_scaling": None}
    fitted = detector(**options, max_epochs=10).fit(X)
    rows = torch.tensor(X, dtype=torch.float32)
    with torch.no_grad():
        errors = (fitted.module_.reconstruct(rows) - rows).square().numpy().astype(float)
    scale = 1.01 * errors.mean(axis=1, keepdims=True)
    scale += 1e-6 * scale.mean(axis=2, keepdims=True)
    expected = -np.sqrt(np.square((errors / scale).mean(axis=2)).mean(axis=0))
    np.testing.assert_allclose(fitted.score_samples(X), expected, rtol=1e-4)


# Robust training ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_trimming_makes_training_robust_against_many_outliers(seed):
    X, is_outlier = blobs_with_cluster(seed=seed)
    aucs = {}
    for trim in (0.0, 0.3):
        fitted = detector(trim=trim, random_state=seed).fit(X)
        aucs[trim] = roc_auc_score(is_outlier, -fitted.score_samples(X))
    assert aucs[0.3] > max(aucs[0.0], 0.95)


def test_a_wrong_value_in_a_quiet_feature_stands_out():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(300, 3)), np.zeros(300)])
    X[:, 3] = X[:, 0] + 0.01 * rng.normal(size=300)  # the first one again
    odd = X[:20].copy()
    odd[:, 3] += 0.7
    fitted = detector().fit(X)
    both = np.concatenate([fitted.score_samples(X), fitted.score_samples(odd)])
    assert roc_auc_score(np.arange(320) >= 300, -both) > 0.95


# Parameters --------------------------------------------------------------------------------


def test_noise_of_the_nets_is_spaced_between_two_values():
    X = np.random.default_rng(0).normal(size=(60, 4))
    one = detector(noise=0.5, n_estimators=3, max_epochs=5).fit(X)
    same = detector(noise=(0.5, 0.5), n_estimators=3, max_epochs=5).fit(X)
    np.testing.assert_allclose(one.score_samples(X), same.score_samples(X), rtol=1e-5)
    single = detector(noise=(0.25, 1.0), n_estimators=1, max_epochs=5).fit(X)
    middle = detector(noise=0.5, n_estimators=1, max_epochs=5).fit(X)
    np.testing.assert_array_equal(single.score_samples(X), middle.score_samples(X))


@pytest.mark.parametrize(
    "noise",
    [(1.0, 0.5), (0.0, 1.0), (0.1, 0.2, 0.3), (-1.0, 1.0), (1.0, np.inf), ("weak", "strong")],
)
def test_noise_must_be_one_or_two_positive_numbers(noise):
    with pytest.raises(ValueError, match="noise must be a number or two positive numbers"):
        detector(noise=noise).fit(np.eye(5))


def test_warm_start_takes_other_noise_but_no_other_number_of_nets():
    X = np.random.default_rng(0).normal(size=(60, 4))
    fitted = detector(n_estimators=2, max_epochs=5, warm_start=True).fit(X)
    assert fitted.set_params(noise=0.3).fit(X).n_iter_ == 10
    with pytest.raises(ValueError, match=r"same shape .* got new values of .*'n_estimators'"):
        fitted.set_params(n_estimators=3).fit(X)


@pytest.mark.parametrize(
    "name, value", [("n_estimators", 0), ("trim", 1.0), ("noise", -0.1), ("max_epochs", 0)]
)
def test_parameters_out_of_range_are_errors_that_name_them(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        detector(**{name: value}).fit(np.eye(5))
