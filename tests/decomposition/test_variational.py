"""VariationalAutoencoder: exact likelihoods, bounds, samples, errors."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from skdeep.decomposition import VariationalAutoencoder

DIGITS = load_digits().data / 16
BITS = (DIGITS > 0.5).astype(float)
IRIS = load_iris().data

# Rows of a linear-Gaussian model: two factors, five features, noise of deviation 0.4.
N_ROWS, NOISE = 4000, 0.4
MEAN = np.array([1.0, -2.0, 3.0, 0.0, 10.0])


def small(n_components=2, **parameters):
    """Fast variational autoencoder."""
    return VariationalAutoencoder(
        n_components, **{"max_epochs": 5, "device": "cpu", "random_state": 0, **parameters}
    )


@pytest.fixture(scope="module")
def linear_gaussian():
    """Samples, their covariance, and a linear model trained on them."""
    rng = np.random.default_rng(0)
    loadings = rng.normal(size=(2, 5))
    X = rng.normal(size=(N_ROWS, 2)) @ loadings + MEAN + NOISE * rng.normal(size=(N_ROWS, 5))
    vae = small(hidden_layer_sizes=(), max_epochs=60, lr=1e-2, lr_schedule="cosine", tol=0)
    return X, loadings.T @ loadings + NOISE**2 * np.eye(5), vae.fit(X)


@pytest.fixture(scope="module")
def bits_model():
    """Bernoulli model of binarized digits."""
    return small(8, likelihood="bernoulli", max_epochs=20).fit(BITS)


# Likelihoods and bounds --------------------------------------------------------------------


def test_bound_approaches_the_exact_likelihood_of_probabilistic_pca_from_below(linear_gaussian):
    X, _, vae = linear_gaussian
    # the most likely one among all linear models with isotropic noise
    exact = PCA(2).fit(X).score(X)
    # the posterior is all but exact, so the importance weights and their errors are tiny
    bound = vae.score_samples(X, n_importance_samples=64).mean()
    assert exact - 0.01 < bound < exact + 1e-3


def test_evidence_bound_approaches_the_exact_likelihood_from_below(linear_gaussian):
    X, _, vae = linear_gaussian
    exact = PCA(2).fit(X).score(X)
    # 16 draws for each of 4000 rows: standard error 0.18 nats per component / sqrt(4000)
    assert exact - 0.03 < vae.score(X) < exact + 0.015
    assert vae.score(X) == pytest.approx(vae.score_samples(X).mean())


@pytest.mark.parametrize("n_importance_samples", [10, 100])
def test_evidence_bound_is_below_the_importance_weighted_bound_of_bits(
    bits_model, n_importance_samples
):
    weighted = bits_model.score_samples(BITS, n_importance_samples=n_importance_samples)
    assert bits_model.score_samples(BITS).mean() < weighted.mean()


def test_evidence_bound_is_below_the_importance_weighted_bound_of_grey_values():
    vae = small(8, max_epochs=20).fit(DIGITS)
    weighted = vae.score_samples(DIGITS, n_importance_samples=100)
    assert vae.score_samples(DIGITS).mean() < weighted.mean()


def test_importance_weighted_bound_grows_with_the_number_of_samples(bits_model):
    bounds = [bits_model.score_samples(BITS, n_importance_samples=n).mean() for n in (1, 8, 64)]
    assert np.all(np.diff(bounds) > 0)


def test_bounds_of_codes_that_carry_nothing_are_the_density_of_the_likelihood():
    # so large a beta forbids the codes to carry anything: the model is one normal distribution
    X = np.random.default_rng(0).normal(3.0, 2.0, size=(2000, 1))
    vae = small(1, beta=100.0, max_epochs=40, lr=1e-2, lr_schedule="cosine", tol=0).fit(X)
    expected = stats.norm.logpdf(X, X.mean(), X.std())[:, 0]
    for n in (None, 1, 20):
        scores = vae.score_samples(X, n_importance_samples=n)
        assert scores.mean() == pytest.approx(expected.mean(), abs=0.01)
        assert np.abs(scores - expected).mean() < 0.03


def test_scores_are_densities_in_the_units_of_the_rows(linear_gaussian):
    X, _, vae = linear_gaussian
    # a power of two, which rounds nothing: the scaled rows are the same
    options = {name: value for name, value in vae.get_params().items() if name != "max_epochs"}
    first = small().set_params(**options, max_epochs=3).fit(X)
    second = small().set_params(**options, max_epochs=3).fit(1024 * X)
    for n in (None, 5):
        expected = first.score_samples(X, n_importance_samples=n) - 5 * np.log(1024)
        scores = second.score_samples(1024 * X, n_importance_samples=n)
        np.testing.assert_allclose(scores, expected, rtol=1e-5)
    assert second.scale_ == pytest.approx(1024 * first.scale_)


def test_score_is_the_weighted_mean_of_score_samples(bits_model):
    scores, weight = bits_model.score_samples(BITS), np.arange(len(BITS))
    expected = np.average(scores, weights=weight)
    assert bits_model.score(BITS, sample_weight=weight) == pytest.approx(expected)


def test_counts_have_the_probabilities_of_the_decoder():
    # so large a beta forbids the codes to carry anything: all samples have equal probabilities
    X = np.random.default_rng(0).poisson([[5.0, 1.0, 0.5, 3.5]], size=(2000, 4))
    vae = small(1, likelihood="multinomial", beta=1000.0, max_epochs=30, lr=1e-2, tol=0)
    vae.set_params(lr_schedule="cosine").fit(X)
    frequencies = X.sum(axis=0) / X.sum()
    reconstructions = vae.reconstruct(X)
    np.testing.assert_allclose(reconstructions.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(reconstructions, np.tile(frequencies, (2000, 1)), atol=0.02)
    expected = X @ np.log(frequencies)
    np.testing.assert_allclose(vae.score_samples(X).mean(), expected.mean(), rtol=0.01)
    np.testing.assert_allclose(
        vae.reconstruction_error(X), -(X * np.log(reconstructions)).mean(axis=1), rtol=1e-5
    )
    probabilities = vae.sample(3, random_state=0, observation_noise=False)
    np.testing.assert_allclose(probabilities, np.tile(frequencies, (3, 1)), atol=0.02)
    with pytest.raises(ValueError, match="observation_noise must be False for likelihood='multi"):
        vae.sample(3)


def test_codes_of_counts_tell_topics_apart_in_dense_and_sparse_rows():
    rng = np.random.default_rng(0)
    topics = np.repeat([0, 1], 150)
    chances = np.array([[0.4, 0.4, 0.1, 0.1], [0.1, 0.1, 0.4, 0.4]])[topics]
    X = rng.multinomial(rng.integers(5, 50, size=300), chances)  # of different lengths
    vae = small(2, likelihood="multinomial", max_epochs=40, lr=1e-2)
    codes = vae.fit(X).transform(X)
    accuracy = LogisticRegression().fit(codes, topics).score(codes, topics)
    assert accuracy > 0.9
    np.testing.assert_array_equal(vae.fit(sp.csr_array(X)).transform(sp.csr_array(X)), codes)


# Samples -----------------------------------------------------------------------------------


def test_samples_match_mean_and_covariance_of_a_gaussian(linear_gaussian):
    _, covariance, vae = linear_gaussian
    n_samples = 40_000
    samples = vae.sample(n_samples, random_state=0)
    # The model knows the population from N_ROWS rows and is known from n_samples rows. Means
    # have variance S_ii / n, covariances (S_ii S_jj + S_ij^2) / n. 20 figures, each within
    # four standard errors with probability 0.99994.
    share = 1 / N_ROWS + 1 / n_samples
    variance = np.diag(covariance)
    assert (np.abs(samples.mean(axis=0) - MEAN) < 4 * np.sqrt(variance * share)).all()
    tolerance = 4 * np.sqrt((np.outer(variance, variance) + covariance**2) * share)
    assert (np.abs(np.cov(samples.T) - covariance) < tolerance).all()


def test_learned_scale_recovers_the_noise_of_the_data(linear_gaussian):
    *_, vae = linear_gaussian
    assert vae.scale_ == pytest.approx(NOISE, rel=0.15)


def test_fixed_scale_stays(linear_gaussian):
    X, *_ = linear_gaussian
    for feature_scaling in ("global", "standard", None):
        vae = small(scale=0.3, feature_scaling=feature_scaling).fit(X)
        assert isinstance(vae.scale_, float)
        assert vae.scale_ == pytest.approx(0.3, rel=1e-6)


def test_learned_scale_of_standardised_features_is_proportional_to_their_deviation(
    linear_gaussian,
):
    X, *_ = linear_gaussian
    # two features of the same deviation, and not in the order of their size
    X = np.column_stack([X[:, 3], X[:, 0], X[:, 0], X[:, 1]])
    vae = small(feature_scaling="standard").fit(X)
    assert vae.scale_.shape == (4,)
    ratio = vae.scale_ / X.std(axis=0)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


@pytest.mark.parametrize("feature_scaling", ["global", "standard", None])
def test_samples_without_observation_noise_lack_its_variance(linear_gaussian, feature_scaling):
    X, *_ = linear_gaussian
    vae = small(feature_scaling=feature_scaling).fit(X)
    clean = vae.sample(20_000, random_state=0, observation_noise=False)
    noisy = vae.sample(20_000, random_state=0)
    # standard error of a deviation from 20,000 draws: half a per cent
    np.testing.assert_allclose((noisy - clean).std(axis=0), vae.scale_ * np.ones(5), rtol=0.02)


def test_samples_of_standardised_features_have_the_unit_of_each(linear_gaussian):
    X, *_ = linear_gaussian
    X = X[:, :3] * np.array([100.0, 0.01, 1.0])
    vae = small(1, feature_scaling="standard", max_epochs=15).fit(X)
    samples = vae.sample(20_000, random_state=0)
    np.testing.assert_allclose(samples.std(axis=0), X.std(axis=0), rtol=0.15)
    np.testing.assert_allclose(
        samples.mean(axis=0) / X.std(axis=0), X.mean(axis=0) / X.std(axis=0), atol=0.15
    )


def test_samples_of_bits_are_bits_with_the_frequencies_of_the_data(bits_model):
    samples = bits_model.sample(5000, random_state=0)
    assert samples.shape == (5000, 64)
    assert set(np.unique(samples)) == {0.0, 1.0}
    probabilities = bits_model.sample(5000, random_state=0, observation_noise=False)
    assert probabilities.min() >= 0 and probabilities.max() <= 1
    assert ((probabilities > 0.1) & (probabilities < 0.9)).any()
    # bits are drawn from these probabilities: standard error of a frequency at most 0.0071
    assert np.abs(samples.mean(axis=0) - probabilities.mean(axis=0)).max() < 0.03
    # a short training does not get the frequencies exactly; no bits at all are at 0.35
    frequencies = BITS.mean(axis=0)
    assert np.abs(samples.mean(axis=0) - frequencies).mean() < 0.1


def test_sample_is_deterministic_for_an_int_and_new_for_none(linear_gaussian):
    *_, vae = linear_gaussian
    first, second = (vae.sample(5, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (5, 5) and first.dtype == np.float64
    assert not np.array_equal(first, vae.sample(5, random_state=4))
    assert not np.array_equal(vae.sample(5), vae.sample(5))
    rng = np.random.RandomState(3)
    assert not np.array_equal(vae.sample(5, random_state=rng), vae.sample(5, random_state=rng))
    assert vae.sample().shape == (1, 5)


# Training ----------------------------------------------------------------------------------


def test_larger_beta_gives_codes_nearer_to_the_prior():
    divergences = []
    for beta in (0.5, 1.0, 4.0, 20.0):
        vae = small(8, beta=beta, max_epochs=20).fit(DIGITS)
        divergences.append(vae.kl_curve_[-1] / beta)
    assert np.all(np.diff(divergences) < 0)
    assert divergences[-1] < 0.1 * divergences[0]


@pytest.mark.parametrize("beta", [0.0, 1.0, 3.0])
def test_loss_curve_is_the_sum_of_reconstruction_and_divergence(beta):
    vae = small(beta=beta).fit(IRIS)
    assert len(vae.loss_curve_) == vae.n_iter_ == 5
    total = np.add(vae.reconstruction_curve_, vae.kl_curve_)
    np.testing.assert_allclose(vae.loss_curve_, total, rtol=1e-6)
    assert (np.array(vae.kl_curve_) > 0).all() == (beta > 0)


def test_more_draws_per_row_steady_the_loss():
    def roughness(n_samples):
        # next to no learning, so that the loss varies by its draws alone
        vae = small(n_samples=n_samples, lr=1e-12, batch_size=200, max_epochs=40, tol=0)
        return np.std(vae.fit(IRIS).reconstruction_curve_)

    # a hundred times the draws, a tenth of the deviation; 40 epochs know it to a tenth
    assert roughness(100) < 0.2 * roughness(1)


def test_transform_is_the_mean_of_the_posterior(linear_gaussian):
    X, covariance, vae = linear_gaussian
    codes = vae.transform(X)
    # for linear models the mean of the posterior is a linear function of the row, and as the
    # prior is standard normal, its variance is that of the prior less that of the posterior
    design = np.column_stack([X, np.ones(N_ROWS)])
    residual = codes - design @ np.linalg.lstsq(design, codes, rcond=None)[0]
    assert np.abs(residual).max() < 1e-4
    signal = np.linalg.eigvalsh(covariance)[-2:]
    expected = 1 - NOISE**2 / signal
    np.testing.assert_allclose(np.linalg.eigvalsh(np.cov(codes.T)), np.sort(expected), rtol=0.05)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=0.05)


def test_reconstruction_error_is_the_mean_squared_error(bits_model):
    X_hat = bits_model.inverse_transform(bits_model.transform(BITS))
    expected = np.square(BITS - X_hat).mean(axis=1)
    np.testing.assert_allclose(bits_model.reconstruction_error(BITS), expected, rtol=1e-5)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli", "multinomial"])
def test_convolutional_model_samples_images(likelihood):
    vae = small(4, image_shape=(8, 8), block="residual", likelihood=likelihood, max_epochs=3)
    vae.fit(DIGITS.reshape(-1, 8, 8))
    noise = likelihood != "multinomial"
    assert vae.sample(3, random_state=0, observation_noise=noise).shape == (3, 64)
    assert np.isfinite(vae.score_samples(DIGITS, n_importance_samples=3)).all()


# Errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"likelihood": "bernoulli"}, r"X must lie in \[0.0, 1.0\] for likelihood='bernoulli'"),
        ({"likelihood": "bernoulli", "scale": 0.3}, "scale must be 'learned', its default, for"),
        ({"likelihood": "multinomial", "scale": 0.3}, "scale must be 'learned', its default, for"),
        ({"scale": 0.0}, "The 'scale' parameter of VariationalAutoencoder must be a str among"),
        ({"beta": -1.0}, "The 'beta' parameter of VariationalAutoencoder must be a float"),
        ({"n_samples": 0}, "The 'n_samples' parameter of VariationalAutoencoder must be an int"),
        ({"likelihood": "poisson"}, "The 'likelihood' parameter of VariationalAutoencoder must"),
    ],
)
def test_impossible_parameters_and_rows_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(IRIS)


@pytest.mark.parametrize("n", [0, -1, 2.5, "3"])
def test_numbers_of_draws_are_checked(linear_gaussian, n):
    X, _, vae = linear_gaussian
    with pytest.raises(ValueError, match=f"n_samples must be a positive integer; got {n!r}"):
        vae.sample(n)
    with pytest.raises(ValueError, match="n_importance_samples must be a positive integer"):
        vae.score_samples(X, n_importance_samples=n)
