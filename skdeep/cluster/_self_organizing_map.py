"""Self-organizing map."""

from collections.abc import Sequence
from numbers import Real
from typing import Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skdeep._device_estimator import DeviceEstimator
from skdeep._training._state import existing_device
from skdeep.cluster._map_fit import MapFit
from skdeep.cluster._map_inference import apply_to_samples
from skdeep.nn._grid import NEIGHBORHOODS, Grid
from skdeep.nn._unit_distances import METRICS, UnitDistances
from skdeep.utils._params import NON_NEGATIVE, POSITIVE, POSITIVE_INTEGER, param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import Interval, StrOptions, fit_context, with_callbacks
from skdeep.utils._slabs import dense, slabs
from skdeep.utils._validation import check_rows, check_weights, in_memory, output_dtype


class SelfOrganizingMap(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, DeviceEstimator
):
    """Self-organizing map: units on a grid, trained so that adjacent units are alike.

    Each unit has a weight vector in the space of the samples, and represents the samples that are
    nearest to it. Alternates between finding the best matching unit of each sample, that is, the
    nearest one, and setting all weights to means of samples, weighted by a function of the distance
    on the grid to their units [1]_. The radius of that function decreases during training: the map
    is ordered as a whole first, and then adapts to the samples locally.

    Scale the features, for example with ``StandardScaler``.

    Parameters
    ----------
    shape : (int, int) or "auto", default="auto"
        Number of rows and columns of units. ``"auto"`` makes about ``5 * sqrt(n)`` units for ``n``
        distinct samples, with sides in proportion to the two largest standard deviations along
        principal axes [2]_.
    topology : {"rectangular", "hexagonal"}, default="rectangular"
        Grid of units. In a hexagonal one, every other row is shifted by half a unit, and each unit
        has six neighbors at equal distances.
    periodic : bool, default=False
        Whether opposite sides of the grid are connected, as on a torus. A hexagonal grid then needs
        an even number of rows.
    neighborhood : {"gaussian", "bubble", "triangle", "mexican_hat"}, default="gaussian"
        Function ``h(d)`` of the distance ``d`` between two units on the grid, where adjacent units
        of a row are at distance 1, and of the radius ``r``: ``exp(-d**2 / (2 * r**2))``; 1 up to
        ``r``, else 0; ``max(0, 1 - d / r)``; ``(1 - d**2 / (2 * r**2)) * exp(-d**2 / (2 * r**2))``.
        The last one has negative values, by which units are pushed away from samples.
    radius : "auto", float or (float, float), default="auto"
        Radius of the neighborhood function: constant, or at the start and at the end of training.
        ``"auto"`` starts with half of the longer side and ends with 0.55 for a Gaussian, 1 for a
        bubble, 1.25 for a triangle and 0.75 for a Mexican hat. A smaller final radius lowers the
        quantization error, a larger one the topographic error.
    learning_rate : float or (float, float), default=(0.5, 0.05)
        Learning rate, constant or at the start and at the end of training, at most 1. Not used by
        ``algorithm="batch"``.
    decay : {"exponential", "linear"}, default="exponential"
        How radius and learning rate change during training.
    init : {"pca", "random"}, default="pca"
        Initial weights: on the plane of the first two principal components, within one standard
        deviation of the mean; or random, with the means and standard deviations of the features.
    metric : {"euclidean", "cosine", "manhattan"}, default="euclidean"
        Distance that determines the best matching unit. Weights are means of samples in any case.
    algorithm : {"batch", "minibatch", "online"}, default="batch"
        ``"batch"`` updates the weights once per epoch, from all samples [1]_. ``"minibatch"``
        updates them after each mini-batch, from exponentially decaying sums of samples.
        ``"online"`` moves them towards one sample after the other [3]_, which is slow.
    n_clusters : int, default=None
        If given, units are clustered after training, agglomeratively, such that each cluster is
        connected on the grid: with Ward linkage for Euclidean distances, else average linkage.
        ``labels_`` and ``predict`` then are clusters instead of units.
    missing : {"error", "ignore"}, default="error"
        How to handle NaN. With ``"ignore"``, distances are those of the observed features, scaled
        up to all features, and weights are means of observed values.
    max_epochs : int, default=30
        Maximum number of epochs, over which radius and learning rate change.
    tol : float, default=1e-5
        With a constant ``radius``, training stops if the squared change of the weights in an epoch,
        relative to their variance, is at most ``tol``.
    batch_size : int, default=512
        Number of samples per mini-batch; only used by ``algorithm="minibatch"``.
    shuffle : bool, default=True
        Whether to shuffle the samples in each epoch; not used by ``algorithm="batch"``.
    checkpoint : str or path-like, default=None
        Folder for checkpoints of ``fit``. If the process is killed, the same call continues from
        the last one, see :doc:`/guide/saving`.
    checkpoint_every : int, default=5
        Number of epochs between checkpoints.
    device : str, torch.device or list of these, default="auto"
        Device to train on. ``"auto"`` uses CUDA if available, else MPS, else the CPU. If a list,
        each parallel worker uses one of its devices.
    random_state : int or RandomState instance, default=None
        Determines random number generation for ``init="random"``, for shuffling and, with more than
        512 features, for the principal components. Pass an int for reproducible results across
        multiple function calls.
    verbose : int, default=0
        0 prints nothing, 1 shows a progress bar over the epochs, 2 prints a line for each epoch.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_units, n_features)
        Weights of the units, row by row of the grid.
    shape_ : (int, int)
        Number of rows and columns.
    unit_coordinates_ : ndarray of shape (n_units, 2)
        Horizontal and vertical position of each unit on the map.
    u_matrix_ : ndarray of shape (n_rows, n_columns)
        Mean distance between the weights of each unit and those of adjacent units, in the metric.
        Ridges separate clusters.
    labels_ : ndarray of int of shape (n_samples,)
        Best matching unit of each training sample or, with ``n_clusters``, its cluster.
    unit_labels_ : ndarray of int of shape (n_units,)
        Cluster of each unit. Defined only with ``n_clusters``.
    loss_curve_ : list of float, length `n_iter_`
        Quantization error in each epoch: the mean distance from samples to their best matching
        units, before these are updated.
    n_iter_ : int
        Number of epochs trained.
    device_ : str
        Device that the map was trained on.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``. Defined only when all of them are strings.

    Raises
    ------
    DivergenceError
        From ``fit``, if a distance or a weight stops being finite.

    See Also
    --------
    skdeep.cluster.DeepEmbeddedClustering : Clusters of features that a net learns.
    sklearn.cluster.KMeans : Clusters without a map.
    sklearn.decomposition.PCA : Linear maps.

    References
    ----------
    .. [1] Kohonen (2013), "Essentials of the Self-Organizing Map", Neural Networks.
    .. [2] Vesanto et al. (2000), "SOM Toolbox for Matlab 5", Helsinki University of Technology.
    .. [3] Kohonen (1982), "Self-Organized Formation of Topologically Correct Feature Maps",
       Biological Cybernetics.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep.cluster import SelfOrganizingMap
    >>> X, y = load_digits(return_X_y=True)
    >>> som = SelfOrganizingMap((12, 15), topology="hexagonal", random_state=0).fit(X / 16)
    >>> som.predict(X / 16).shape, som.transform(X / 16).shape
    ((1797,), (1797, 180))
    >>> som.unit_coordinates_[som.labels_].shape  # where each sample lies on the map
    (1797, 2)
    """

    shape: str | Sequence[int] = param(
        StrOptions({"auto"}), "array-like", default="auto", kw_only=False
    )
    topology: str = param(StrOptions({"rectangular", "hexagonal"}), default="rectangular")
    periodic: bool = param("boolean", default=False)
    neighborhood: str = param(StrOptions(set(NEIGHBORHOODS)), default="gaussian")
    radius: str | float | Sequence[float] = param(
        StrOptions({"auto"}), POSITIVE, "array-like", default="auto"
    )
    learning_rate: float | Sequence[float] = param(
        Interval(Real, 0, 1, closed="right"), "array-like", default=(0.5, 0.05)
    )
    decay: str = param(StrOptions({"exponential", "linear"}), default="exponential")
    init: str = param(StrOptions({"pca", "random"}), default="pca")
    metric: str = param(StrOptions(set(METRICS)), default="euclidean")
    algorithm: str = param(StrOptions({"batch", "minibatch", "online"}), default="batch")
    n_clusters: int | None = param(POSITIVE_INTEGER, None, default=None)
    missing: str = param(StrOptions({"error", "ignore"}), default="error")
    max_epochs: int = param(POSITIVE_INTEGER, default=30)
    tol: float = param(NON_NEGATIVE, default=1e-5)
    batch_size: int = param(POSITIVE_INTEGER, default=512)
    shuffle: bool = param("boolean", default=True)

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Train the map.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples. Memory maps and sparse matrices are read chunk by chunk, and never
            copied as a whole.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples. Samples with a weight of zero are ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return MapFit(self, X, y, sample_weight).run(int(self.max_epochs))

    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def partial_fit(self, X, y=None, sample_weight=None) -> Self:
        """Train the map for one epoch on these samples.

        The first call of ``partial_fit`` or ``fit`` determines the initial weights and the grid;
        ``shape``, ``topology`` and ``periodic`` must not change afterwards. Radius and learning
        rate are those of the next epoch in a training of ``max_epochs`` epochs, and their final
        values afterwards. ``algorithm="batch"`` computes all weights from the samples of this call;
        the other algorithms update them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples. Samples with a weight of zero are ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        is_fitted = hasattr(self, "cluster_centers_")
        return MapFit(self, X, y, sample_weight, resume=is_fitted, is_part=True).run(1)

    @own_settings()
    def predict(self, X) -> np.ndarray:
        """Predict the best matching unit of each sample or, with ``n_clusters``, its cluster.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        labels : ndarray of int of shape (n_samples,)
            Index of the nearest unit, or of its cluster.
        """
        units = self._nearest_units(self._check_new(X))
        return self.unit_labels_[units] if hasattr(self, "unit_labels_") else units

    @own_settings()
    def transform(self, X) -> np.ndarray:
        """Compute the distance from each sample to each unit.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_units)
            In the ``metric``; float32 if ``X`` is float32, else float64.
        """
        return self._apply(UnitDistances.all, self._check_new(X))

    @own_settings()
    def impute(self, X) -> np.ndarray:
        """Replace missing values by those of the best matching unit of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples, in which NaN are missing values, whatever the parameter ``missing``.

        Returns
        -------
        X_imputed : ndarray of shape (n_samples, n_features)
            Dense copy without missing values: float32 if ``X`` is float32, else float64.
        """
        X = self._check_new(X, allow_nan=True)
        units = self._nearest_units(X, has_missing=True)
        result = np.empty(X.shape, dtype=output_dtype(X))
        for rows in slabs(X):
            part = dense(X, rows)
            result[rows] = np.where(np.isnan(part), self.cluster_centers_[units[rows]], part)
        return result

    @own_settings()
    def quantization_error(self, X, sample_weight=None) -> float:
        """Compute the mean distance from samples to their best matching units.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        error : float
            In the ``metric``.
        """
        X = self._check_new(X)
        distances = self._apply(lambda units, x: units.nearest(x)[1], X)
        return float(np.average(distances, weights=check_weights(sample_weight, X)))

    @own_settings()
    def topographic_error(self, X, sample_weight=None) -> float:
        """Compute the fraction of samples whose two nearest units are not adjacent.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        error : float
            From 0 to 1. On a rectangular map, units that share a corner are adjacent, too.
        """
        X = self._check_new(X)
        weight = check_weights(sample_weight, X)
        topology, periodic = (self._fitted_params[name] for name in ("topology", "periodic"))
        grid = Grid(self.shape_, topology, periodic)
        if grid.n_units == 1:
            return 0.0
        first, second = torch.from_numpy(self._apply(UnitDistances.two_nearest, X)).T
        return float(np.average(~grid.are_adjacent(first, second).numpy(), weights=weight))

    @own_settings()
    def hit_counts(self, X, sample_weight=None) -> np.ndarray:
        """Count the samples of which each unit is the best matching one.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        hits : ndarray of shape (n_rows, n_columns)
            Numbers of samples; with ``sample_weight``, their total weights.
        """
        X = self._check_new(X)
        units, weight = self._nearest_units(X), check_weights(sample_weight, X)
        return np.bincount(units, weight, minlength=len(self.cluster_centers_)).reshape(self.shape_)

    # Helpers -------------------------------------------------------------------------------

    def _check(self, X, *, reset, allow_nan=None):
        """Validate samples, each of which must have an observed feature."""
        if allow_nan is None:
            allow_nan = self.missing == "ignore"
        X = check_rows(self, X, reset=reset, allow_nan=allow_nan)
        for rows in slabs(X) if allow_nan and X.dtype.kind == "f" else ():
            is_empty = np.isnan(dense(X, rows)).all(axis=1)
            if is_empty.any():
                raise ValueError(
                    "X must have an observed value in each sample; got only missing values in "
                    f"sample {rows.start + int(is_empty.argmax())}. Drop it."
                )
        return X

    def _check_new(self, X, **options):
        """Validate samples for a fitted estimator."""
        check_is_fitted(self)
        return self._check(in_memory(X), reset=False, **options)

    def _nearest_units(self, X, **options):
        return self._apply(lambda units, x: units.nearest(x)[0], X, **options)

    def _apply(self, function, X, *, has_missing=None):
        """Apply a function of ``UnitDistances`` and samples, row by row, to validated samples."""
        return apply_to_samples(
            function,
            X,
            self._weights,
            center=self._center,
            metric=self._fitted_params["metric"],
            has_missing=self.missing == "ignore" if has_missing is None else has_missing,
            device=self.device_,
        )

    @property
    def _n_features_out(self):
        """Number of units, for ``get_feature_names_out``."""
        return len(self.cluster_centers_)

    # Persistence and tags ------------------------------------------------------------------

    def __setstate__(self, state):
        """Restore the state, on the CPU if the recorded device is not available."""
        super().__setstate__(state)
        if hasattr(self, "device_"):
            self.device_ = existing_device(self.device_, type(self).__name__)

    def __sklearn_tags__(self):
        """NaN are missing values with ``missing="ignore"``."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "ignore"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
