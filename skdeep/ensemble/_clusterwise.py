"""Base class of estimators with a model for each cluster."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import get_tags, indexable
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skdeep._checkpoint import in_subfolder
from skdeep._training._tasks import FitTasks
from skdeep.ensemble._members import Member, fit_members
from skdeep.utils._clusterers import as_fitted, last_step
from skdeep.utils._docs import DocumentationLinkMixin
from skdeep.utils._params import POSITIVE_INTEGER, Parameters, param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import (
    HasMethods,
    check_method_params,
    fit_context,
    is_routing_enabled,
    raise_for_params,
    safe_indexing,
    with_callbacks,
)
from skdeep.utils._validation import check_target_is_given, check_weights, in_memory


class Clusterwise(
    MetaEstimatorMixin,
    DocumentationLinkMixin,
    CallbackSupportMixin,
    Parameters,
    BaseEstimator,
    ABC,
):
    """A clusterer, and an estimator for each of its clusters."""

    clusterer: Any = param(HasMethods(["fit"]), kw_only=False)
    estimator: Any = param(HasMethods(["fit", "predict"]), kw_only=False)
    min_cluster_size: int = param(POSITIVE_INTEGER, default=10)
    soft: bool = param("boolean", default=False)

    #: description of valid estimators for the error message
    _kind_of_estimator: ClassVar[str]

    # ``sample_weight`` is consumed by clusterer and estimator, as requested on them.
    __metadata_request__fit: ClassVar[dict] = {"sample_weight": UNUSED}

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    @own_settings()
    def fit(self, X, y, sample_weight=None, **fit_params) -> Self:
        """Fit the clusterer, and one estimator for each cluster.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to train on.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples. Samples of weight zero are left out.
        **fit_params : dict
            Further metadata for the ``fit`` methods of clusterer and estimator. Requires metadata
            routing.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        raise_for_params(fit_params, self, "fit")
        self._check_parts()
        check_target_is_given(self, y)
        X, y = indexable(in_memory(X), in_memory(y))
        y = self._check_y(y, X)
        for_clusterer, params = self._metadata(check_weights(sample_weight, X), fit_params)
        task = FitTasks(self, X, y, sample_weight).task
        root = self._init_callback_context(max_subtasks=None)
        root.call_on_fit_task_begin(**task)
        clusterer = self._fit_clusterer(X, for_clusterer, root, task)
        X, y, params = _without_weight_zero(X, y, params)
        estimators, fallback, members = self._plan(clusterer, X, y, params)
        fit_members(members, self, root, task)
        # all at once: a failed fit leaves the estimator unchanged
        self.clusterer_, self.estimators_, self.global_estimator_ = clusterer, estimators, fallback
        vars(self).update(self._record(y))
        root.call_on_fit_task_end(**task, reconstruction_attributes={})
        return self

    # Methods that subclasses define ----------------------------------------------------------

    @staticmethod
    @abstractmethod
    def _is_right_kind(estimator):
        """Whether the estimator has the kind of targets that this one has."""

    @abstractmethod
    def _check_y(self, y, X):
        """Validate targets and return them as an array."""

    def _record(self, y):
        """Return further fitted attributes that follow from the targets."""
        return {}

    def _constant(self, X, y):
        """Return a fitted estimator for targets that are all equal; None to fit the usual one."""

    # Fit -------------------------------------------------------------------------------------

    def _check_parts(self):
        """Raise ``TypeError`` for a clusterer or an estimator that lacks a method."""
        if isinstance(self.estimator, type) or not self._is_right_kind(self.estimator):
            raise TypeError(f"estimator must be {self._kind_of_estimator}; got {self.estimator!r}.")
        if not hasattr(self.clusterer, "predict"):
            raise TypeError(
                "clusterer must have a method predict that assigns new samples to clusters; got "
                f"{self.clusterer!r}. Use for example KMeans, GaussianMixture or a clusterer of "
                "skdeep."
            )
        if self.soft and not hasattr(self.clusterer, "predict_proba"):
            raise TypeError(
                "clusterer must have a method predict_proba if soft=True; got "
                f"{self.clusterer!r}. Set soft=False, or use for example GaussianMixture or a "
                "clusterer of skdeep."
            )

    def _metadata(self, sample_weight, fit_params):
        """Return the metadata for the ``fit`` methods of clusterer and estimator."""
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        if is_routing_enabled():
            routed = process_routing(self, "fit", **weight, **fit_params)
            return routed.clusterer.fit, routed.estimator.fit
        return weight, weight

    def _fit_clusterer(self, X, params, root, task):
        """Fit a clone of the clusterer on samples of nonzero weight."""
        X, _, params = _without_weight_zero(X, None, params)
        clusterer = clone(self.clusterer)
        if not is_routing_enabled() and not has_fit_parameter(clusterer, "sample_weight"):
            params = {}
        context = root.subcontext(task_name="fit-clusterer")
        with context.propagate_callback_context(clusterer):
            context.call_on_fit_task_begin(**task)
            clusterer.fit(X, None, **params)
        context.call_on_fit_task_end(**task)
        return clusterer

    def _plan(self, clusterer, X, y, params):
        """Return the estimators by cluster, the global one or None, and those to be fitted."""
        labels = np.asarray(clusterer.predict(as_fitted(clusterer, X)))
        found, sizes = np.unique(labels, return_counts=True)
        kept = found[sizes >= self.min_cluster_size]
        members = []
        estimators = {
            label: self._make_estimator(X, y, params, np.flatnonzero(labels == label), members)
            for label in kept.tolist()
        }
        fallback = None
        if len(kept) != _n_clusters(clusterer, X):
            fallback = self._make_estimator(X, y, params, np.arange(len(labels)), members)
        return estimators, fallback, members

    def _make_estimator(self, X, y, params, rows, members):
        """Make an estimator for some of the samples; it is a member if it has to be fitted."""
        params = check_method_params(X, params=params, indices=rows)
        X, y = safe_indexing(X, rows), y[rows]
        constant = self._constant(X, y)
        if constant is not None:
            return constant
        estimator = in_subfolder(clone(self.estimator), f"member{len(members)}")
        members.append(Member(estimator, X, y, params))
        return members[-1].estimator

    # Inference -------------------------------------------------------------------------------

    def _of_estimators(self, function, X):
        """Call ``function(estimator, X)``, which returns an array, for the samples of each cluster.

        If clusters are soft, the results are averaged with the probabilities of the clusters.
        """
        check_is_fitted(self)
        (X,) = indexable(in_memory(X))
        if self.soft:
            return self._mean(function, X)
        labels = np.asarray(self.clusterer_.predict(as_fitted(self.clusterer_, X)))
        order, results = [], []
        for label in np.unique(labels).tolist():
            rows = np.flatnonzero(labels == label)
            order.append(rows)
            results.append(function(self._estimator(label), safe_indexing(X, rows)))
        return np.concatenate(results)[np.argsort(np.concatenate(order))]

    def _mean(self, function, X):
        """Average the results of all estimators with the probabilities of their clusters."""
        total = 0.0
        probabilities = self.clusterer_.predict_proba(as_fitted(self.clusterer_, X))
        for label, probability in enumerate(probabilities.T):
            result = function(self._estimator(label), X)
            total = total + probability.reshape(-1, *[1] * (result.ndim - 1)) * result
        return total

    def _estimator(self, label):
        """Return the estimator of a cluster, which is the global one for small clusters."""
        estimator = self.estimators_.get(label, self.global_estimator_)
        if estimator is None:
            raise ValueError(
                f"The clusterer assigned samples to cluster {label!r}, which had no samples in "
                f"fit; clusters with an estimator are {list(self.estimators_)}. Fit again with "
                "samples of all clusters."
            )
        return estimator

    # Attributes that follow from the clusterer -------------------------------------------------

    @property
    def n_features_in_(self) -> int:
        """Number of features seen during ``fit``."""
        return self.clusterer_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of features seen during ``fit``."""
        return self.clusterer_.feature_names_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """Get metadata routing: that of clusterer and estimator.

        Returns
        -------
        routing : MetadataRouter
            ``fit`` passes metadata on to the ``fit`` methods of ``clusterer`` and ``estimator``.
        """
        fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add(clusterer=self.clusterer, method_mapping=fit)
        return router.add(estimator=self.estimator, method_mapping=fit)

    def __sklearn_tags__(self):
        """Take the samples that both parts take, and the targets of the estimator."""
        tags = super().__sklearn_tags__()
        parts = [get_tags(part) for part in (self.clusterer, self.estimator)]
        for name in ("sparse", "allow_nan", "string", "categorical"):
            value = all(getattr(part.input_tags, name) for part in parts)
            setattr(tags.input_tags, name, value)
        tags.target_tags = parts[1].target_tags
        return tags


def predict(estimator, X):
    """Call the method of this name."""
    return estimator.predict(X)


def _without_weight_zero(X, y, params):
    """Leave out samples of weight zero."""
    weight = params.get("sample_weight")
    if weight is None or np.all(weight):
        return X, y, params
    rows = np.flatnonzero(weight)
    params = check_method_params(X, params=params, indices=rows)
    return safe_indexing(X, rows), None if y is None else y[rows], params


def _n_clusters(clusterer, X):
    """Return how many clusters new samples may be assigned to; None if that is not known."""
    if hasattr(clusterer, "predict_proba"):
        return clusterer.predict_proba(X[:1]).shape[1]
    centers = getattr(last_step(clusterer), "cluster_centers_", None)
    return None if centers is None else len(centers)
