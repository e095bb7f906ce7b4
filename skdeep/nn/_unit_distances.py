"""Distances between samples and the units of a self-organizing map."""

import torch

#: Metrics, and whether distances do not change if samples and units are shifted.
METRICS = {"euclidean": True, "cosine": False, "manhattan": True}
# Squared distances up to this multiple of the machine epsilon, relative to the squared norm of the
# sample, are rounding errors.
_ROUNDING = 8


class UnitDistances:
    """Distances from samples to units, and the nearest unit of each sample.

    Missing features are ignored; Euclidean and Manhattan distances are then scaled up to the number
    of all features, as in ``sklearn.metrics.nan_euclidean_distances``.

    Parameters
    ----------
    weights : Tensor of shape (n_units, n_features)
    metric : {"euclidean", "cosine", "manhattan"}
    has_missing : bool
        Whether samples may contain NaN.
    multiple : int
        Matrix products are padded to a multiple of as many units.
    """

    def __init__(self, weights, metric, *, has_missing=False, multiple=1):
        self.n_units = len(weights)
        weights = torch.nn.functional.pad(weights, (0, 0, 0, -self.n_units % multiple))
        self.weights, self.metric, self.has_missing = weights, metric, has_missing
        self._squares = weights.square()
        if metric == "euclidean":
            self._squared_norms = self._squares.sum(dim=1)
        elif metric == "cosine":
            self._directions = torch.nn.functional.normalize(weights, dim=1, eps=_tiny(weights))

    def nearest(self, x, squared_norms=None):
        """Find the nearest unit of each sample; of equally distant ones, the first.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
        squared_norms : Tensor of shape (n, 1) or None
            Squared norms of the samples, if they are known.

        Returns
        -------
        best : Tensor of int of shape (n,)
        distance : Tensor of shape (n,)
        """
        x, observed = self._split(x)
        scores = self._scores(x, observed)
        best = _argmin(scores)
        nearest = scores.gather(1, best[:, None])
        known = squared_norms if observed is None else None
        return best, self._from_scores(nearest, x, observed, known)[:, 0]

    def two_nearest(self, x):
        """Find the two nearest units of each sample; (n, 2)."""
        scores = self._scores(*self._split(x))
        best = _argmin(scores)[:, None]
        return torch.cat([best, _argmin(scores.scatter(1, best, torch.inf))[:, None]], dim=1)

    def all(self, x):
        """Compute the distance from each sample to each unit; (n, n_units)."""
        x, observed = self._split(x)
        return self._from_scores(self._scores(x, observed), x, observed)

    def _split(self, x):
        """Return samples with zeros for missing features, and 0.0 or 1.0 for observed ones."""
        if not self.has_missing:
            return x, None
        is_missing = x.isnan()
        return x.masked_fill(is_missing, 0.0), (~is_missing).to(x.dtype)

    def _scores(self, x, observed):
        """Scores of which the distances of a sample are increasing functions; (n, n_units)."""
        return self._padded_scores(x, observed)[:, : self.n_units]

    def _padded_scores(self, x, observed):
        if self.metric == "manhattan":
            return self._manhattan(x, observed)
        if self.metric == "cosine":
            if observed is None:
                return -(x @ self._directions.T)
            norms = (observed @ self._squares.T).sqrt().clamp(min=_tiny(x))
            return -(x @ self.weights.T) / norms
        if observed is None:
            return torch.addmm(self._squared_norms, x, self.weights.T, alpha=-2)
        return torch.addmm(observed @ self._squares.T, x, self.weights.T, alpha=-2)

    def _from_scores(self, scores, x, observed, squared_norms=None):
        """Convert scores to distances."""
        if squared_norms is None and self.metric != "manhattan":
            squared_norms = row_norms(x)
        if self.metric == "cosine":
            return (1 + scores / squared_norms.sqrt().clamp(min=_tiny(x))).clamp(0, 2)
        fraction = 1.0 if observed is None else observed.mean(dim=1, keepdim=True)
        if self.metric == "manhattan":
            return scores / fraction
        squared = scores + squared_norms
        is_zero = squared < _ROUNDING * torch.finfo(x.dtype).eps * squared_norms
        return (squared.masked_fill(is_zero, 0.0) / fraction).sqrt()

    def _manhattan(self, x, observed):
        if torch.compiler.is_compiling():  # of operations that other runtimes have, too
            distances = (x.unsqueeze(1) - self.weights).abs()  # (n, n_units, n_features)
            return (distances if observed is None else distances * observed.unsqueeze(1)).sum(2)
        if observed is None:
            return torch.cdist(x, self.weights, p=1.0)
        total = x.new_zeros(len(x), len(self.weights))
        for feature, weight, is_observed in zip(x.T, self.weights.T, observed.T, strict=True):
            total += (feature[:, None] - weight).abs_().mul_(is_observed[:, None])
        return total


def row_norms(x):
    """Squared Euclidean norms of rows; (n, 1)."""
    return torch.linalg.vector_norm(x, dim=1, keepdim=True).square_()


def _tiny(x):
    return torch.finfo(x.dtype).tiny


def _argmin(scores):
    """Index of the first smallest entry of each row; on a CPU, NumPy is several times faster."""
    if scores.device.type == "cpu" and not torch.compiler.is_compiling():
        return torch.from_numpy(scores.numpy().argmin(axis=1))
    return scores.argmin(dim=1)
