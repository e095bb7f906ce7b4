"""Detect mode collapse: a generator less diverse than its data."""

import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from skdeep.exceptions import ModeCollapseWarning
from skdeep.utils._random import make_generator
from skdeep.utils._warn import warn_user

_N_ROWS = 1000
# With fewer samples, estimates of coverage and precision are unreliable.
_FEWEST_ROWS = 100
_N_NEIGHBORS = 5
_LEAST_VARIANCE = 0.01
_REALISTIC = 0.5
_LEAST_COVERAGE = 0.3


def variance_ratio(real, fake, condition):
    """Ratio of the variances of generated and of real samples, within conditions.

    Parameters
    ----------
    real, fake : Tensor, shape (n_rows, n_features)
        Samples of the same conditions in the same order.
    condition : Tensor of int, shape (n_rows,), or None

    Returns
    -------
    ratio : float
        One if the real samples do not vary.
    """
    squares = [_squares_within(rows, condition) for rows in (real, fake)]
    return squares[1] / squares[0] if squares[0] > 0 else 1.0


def _squares_within(rows, condition):
    """Sum of squared distances of samples from the mean of their condition."""
    if condition is None:
        condition = torch.zeros(len(rows), dtype=torch.long, device=rows.device)
    _, group = condition.unique(return_inverse=True)
    counts = group.bincount().to(rows.dtype)
    means = rows.new_zeros(len(counts), rows.shape[1]).index_add_(0, group, rows)
    means /= counts[:, None]
    return float((rows - means[group]).double().square().sum())


def coverage_and_precision(real, fake):
    """Fraction of real samples near a generated one, and of generated samples near a real one.

    A sample is near a real one if it is no farther away than the fifth neighbour of the real one
    among the real ones; coverage is that of [1]_, precision that of [2]_.

    Parameters
    ----------
    real, fake : ndarray of shape (n_rows, n_features)

    Returns
    -------
    coverage, precision : float

    References
    ----------
    .. [1] Naeem et al. (2020), "Reliable Fidelity and Diversity Metrics for Generative Models",
       ICML.
    .. [2] Kynkäänniemi et al. (2019), "Improved Precision and Recall Metric for Assessing
       Generative Models", NeurIPS.
    """
    neighbors = NearestNeighbors(n_neighbors=_N_NEIGHBORS).fit(real)
    reach = neighbors.kneighbors()[0][:, -1]
    nearest = NearestNeighbors(n_neighbors=1).fit(fake).kneighbors(real)[0][:, 0]
    within = torch.cdist(torch.from_numpy(fake), torch.from_numpy(real)).numpy() <= reach
    return float((nearest <= reach).mean()), float(within.any(axis=1).mean())


@torch.no_grad()
def warn_of_collapse(net, rows):
    """Warn by the criterion of ``ModeCollapseWarning``.

    Compares generated samples with real ones of the same conditions.

    Parameters
    ----------
    net : AdversarialNet
        At the end of training.
    rows : TensorRows or StreamedRows
        That it was trained on.
    """
    gan = net.module_.eval()
    index, condition = net.conditions_.draw(min(_N_ROWS, len(rows)), make_generator(0))
    real = rows.fetch(rows.place(index)).x
    condition = None if condition is None else condition.to(real.device)
    position = gan.noise_generator.get_state()
    fake, _ = gan.generate(len(real), gan.one_hot(condition), averaged=True)
    gan.noise_generator.set_state(position)  # training must not depend on these draws
    ratio = variance_ratio(real, fake, condition)
    if ratio < _LEAST_VARIANCE:
        _warn(f"they have {ratio:.2%} of the variance of the real samples")
    elif len(real) >= _FEWEST_ROWS and bool((real != real[0]).any()):
        plane = PCA(min(2, real.shape[1]), svd_solver="randomized", random_state=0)
        real_points = plane.fit_transform(real.cpu().numpy())
        fake_points = plane.transform(fake.cpu().numpy())
        coverage, precision = coverage_and_precision(real_points, fake_points)
        if precision >= _REALISTIC and coverage < _LEAST_COVERAGE:
            _warn(f"they are close to only {coverage:.0%} of the real samples")


def _warn(finding):
    warn_user(
        f"Generated samples are far less diverse than real ones: {finding}. After a short "
        "training, increase max_epochs or decrease batch_size. After a long one, the generator has "
        "collapsed: try another loss, another gradient_penalty, a larger n_critic or a smaller lr.",
        ModeCollapseWarning,
    )
