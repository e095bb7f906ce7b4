"""The loss of clusterers that maximize mutual information under invariance."""

import itertools

import numpy as np
import torch
from scipy.stats import entropy

from skdeep._training._data import Batches
from skdeep._training._inference import CHUNK_ROWS
from skdeep.nn import losses
from skdeep.nn._view_losses import view_terms
from skdeep.utils._threads import thread_scope

# Connections of clusters by less or more than these fractions of their samples are not told apart.
_WEAKEST, _STRONGEST = 0.01, 0.4


def loss_terms(output, batch, hyperparameters):
    """Losses by name: (batch,) each, or a scalar for the marginal."""
    divergence, entropy, p = view_terms(output, hyperparameters["views"])
    return {
        "invariance": divergence,
        "uncertainty": hyperparameters["information"] * entropy,
        "imbalance": _imbalance(losses.weighted_mean(p, batch.weight), hyperparameters),
    }


def _imbalance(p, hyperparameters):
    prior = hyperparameters["prior"]
    prior = None if prior is None else p.new_tensor(prior)
    weight = hyperparameters["information"] * hyperparameters["balance"]
    return weight * losses.divergence_from_prior(p, prior)


def evaluate(module, objective, rows, generator, most=None):
    """Return the loss of rows, with the marginal over all of them, at inference.

    Parameters
    ----------
    module : ClusterNet
    objective : Objective
    rows : TensorRows or StreamedRows
    generator : torch.Generator
        Source of the draws of views.
    most : int or None
        Number of batches of a random order; None for all rows.
    """
    module.eval()
    total, sums, p_sum = 0.0, 0.0, 0.0
    information = objective.hyperparameters["information"]
    with torch.enable_grad(), thread_scope(module, CHUNK_ROWS, str(rows.device)):
        for batch in _batches(rows, most):
            output = module.compare(batch.x, batch.y, batch.partner, generator)
            divergence, entropy, p = view_terms(output, objective.hyperparameters["views"])
            weight = p.new_ones(len(p)) if batch.weight is None else batch.weight
            row_loss = divergence + information * entropy
            # on the CPU, since not all devices have double precision
            weight, row_loss, p = (one.detach().cpu().double() for one in (weight, row_loss, p))
            sums += float(weight @ row_loss)
            p_sum = p_sum + weight @ p
            total += float(weight.sum())
    return sums / total + float(_imbalance(p_sum / total, objective.hyperparameters))


def _batches(rows, most):
    """Return batches of all rows, or of at most so many batches of a random order."""
    shuffle = None if most is None else torch.Generator().manual_seed(0)
    return itertools.islice(Batches(rows, -(-len(rows) // CHUNK_ROWS), shuffle), most)


def joint_distribution(module, rows, generator, most=None):
    """Return how often two samples that should share a cluster are in each pair of clusters.

    Parameters
    ----------
    module : ClusterNet
    rows : TensorRows or StreamedRows
        The pairs are each row and its first view.
    generator : torch.Generator
    most : int or None
        See ``evaluate``.

    Returns
    -------
    joint : ndarray of shape (n_clusters, n_clusters), symmetric, its sum is one
    """
    joint = np.zeros((module.n_clusters, module.n_clusters))
    module.eval()
    with torch.enable_grad(), thread_scope(module, CHUNK_ROWS, str(rows.device)):
        for batch in _batches(rows, most):
            output = module.compare(batch.x, batch.y, batch.partner, generator)
            first, second = (
                one.argmax(dim=1).cpu().numpy() for one in (output.clean, output.views[0])
            )
            weight = 1.0 if batch.weight is None else batch.weight.cpu().numpy()
            np.add.at(joint, (first, second), weight)
    return (joint + joint.T) / (2 * joint.sum())


def inconsistency(joint):
    """Return ``2 H(Y | Y') - H(Y)`` in nats for the clusters of pairs of samples; lower is better.

    Like the loss it weighs the information of clusters against their stability, but on labels
    instead of probabilities.
    """
    marginal = entropy(joint.sum(axis=0))
    return 2 * (entropy(joint, axis=None) - marginal) - marginal


def estimate_n_clusters(joint):
    """Return the number of clusters before the largest relative fall of merged connections.

    Parameters
    ----------
    joint : ndarray of shape (n_clusters, n_clusters)
        See ``joint_distribution``.
    """
    n_clusters = np.count_nonzero(joint.sum(axis=0))
    strengths = np.minimum.accumulate([strength for _, _, strength in _merges(joint)])
    if len(strengths) < 2:
        return n_clusters
    falls = -np.diff(np.log(np.clip(strengths, _WEAKEST, _STRONGEST)))
    return n_clusters - int(falls.argmax()) - 1


def merge_clusters(joint, n_clusters):
    """Return the new cluster of each old one, (n_old,), after merging them to a smaller number.

    Clusters without samples are left alone if there are too few others, else they join the first.
    """
    labels = np.arange(len(joint))
    n_used = np.count_nonzero(joint.sum(axis=0))
    for kept, merged, _ in itertools.islice(_merges(joint), max(0, n_used - n_clusters)):
        labels[labels == merged] = kept
    groups = np.unique(labels[joint.sum(axis=0) > 0])
    spare = np.flatnonzero(joint.sum(axis=0) == 0)[: n_clusters - len(groups)]
    new = {old: number for number, old in enumerate([*groups, *spare])}
    return np.array([new.get(label, 0) for label in labels])


def _merges(joint):
    """Merge the two clusters that pairs of samples connect most, until one is left.

    Yields
    ------
    kept, merged : int
        Old clusters, of which the second one joins the first.
    strength : float
        Samples whose pair is in the other cluster, as a fraction of each cluster, added up.
    """
    left = np.flatnonzero(joint.sum(axis=0))
    joint = joint[left][:, left]
    while len(joint) > 1:
        size = joint.sum(axis=0)
        strength = joint / size[:, np.newaxis] + joint / size
        np.fill_diagonal(strength, -1.0)
        kept, merged = sorted(np.unravel_index(strength.argmax(), strength.shape))
        yield left[kept], left[merged], strength[kept, merged]
        joint[kept] += joint[merged]
        joint[:, kept] += joint[:, merged]
        joint = np.delete(np.delete(joint, merged, axis=0), merged, axis=1)
        left = np.delete(left, merged)
