"""Pretraining of residual nets on clusters."""

from abc import ABC, abstractmethod
from inspect import signature
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags, indexable
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skdeep._checkpoint import in_subfolder
from skdeep._training._tasks import FitTasks
from skdeep.neural_network import ResNetClassifier
from skdeep.utils._clusterers import as_fitted
from skdeep.utils._docs import DocumentationLinkMixin
from skdeep.utils._params import POSITIVE, POSITIVE_INTEGER, Parameters, param
from skdeep.utils._random import draw_seed
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import (
    HasMethods,
    Interval,
    fit_context,
    safe_indexing,
    with_callbacks,
)
from skdeep.utils._validation import check_target_is_given, check_weights, in_memory, is_missing


class ClusterPretrained(
    MetaEstimatorMixin,
    DocumentationLinkMixin,
    CallbackSupportMixin,
    Parameters,
    BaseEstimator,
    ABC,
):
    """A residual net that is trained to predict clusters, and then fine-tuned."""

    clusterer: Any = param(HasMethods(["fit"]), kw_only=False)
    estimator: Any = param(HasMethods(["fit", "predict"]), None, default=None, kw_only=False)
    pretrain_epochs: int = param(POSITIVE_INTEGER, default=50)
    freeze_epochs: int = param(Interval(Integral, 0, None, closed="left"), default=0)
    trunk_lr: float | None = param(POSITIVE, None, default=1e-3)
    random_state: int | np.random.RandomState | None = param("random_state", default=None)

    #: class of ``estimator``
    _net_class: ClassVar[type]

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    @own_settings()
    def fit(self, X, y, sample_weight=None) -> Self:
        """Cluster all samples, train a net on the clusters, and fine-tune it on the labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, some of which are missing. Classifiers take one target for each sample.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples for the nets, and for the clusterer if its ``fit`` takes them.
            Samples of weight zero are left out.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        self._check_parts()
        check_target_is_given(self, y)
        X, y = indexable(in_memory(X), in_memory(y))
        given, is_labelled = self._find_labelled(y, X, reset=True)
        weight = check_weights(sample_weight, X)
        kept = np.ones(len(is_labelled), dtype=bool) if weight is None else weight > 0
        if not kept[is_labelled].any():
            raise ValueError(
                "sample_weight must be positive for at least one labelled sample; got zero for all "
                "of them."
            )
        task = FitTasks(self, X, y, sample_weight).task
        root = self._init_callback_context(max_subtasks=3)
        root.call_on_fit_task_begin(**task)
        parts = _Parts(self._seeded(), root, task)
        clusters = np.full(len(kept), -1)
        found = parts.cluster(*_take(kept, X, weight))
        clusters[kept] = _as_numbers(found, np.count_nonzero(kept), self.clusterer)
        _check_clusters(clusters, self.clusterer)
        parts.pretrain(*_take(clusters >= 0, X, clusters, weight))
        X_given, weight_given = _take(kept & is_labelled, X, weight)
        parts.tune(X_given, given[kept[is_labelled]], weight_given)
        transduction = np.empty((len(kept), *given.shape[1:]), dtype=given.dtype)
        transduction[is_labelled] = given
        if not is_labelled.all():
            transduction[~is_labelled] = parts.net.predict(*_take(~is_labelled, X))
        # all at once: a failed fit leaves the estimator unchanged
        self.clusterer_, self.estimator_ = parts.clusterer, parts.net
        self.cluster_labels_, self.transduction_ = clusters, transduction
        vars(self).update(self._record())
        root.call_on_fit_task_end(**task, reconstruction_attributes={})
        return self

    @own_settings()
    def predict(self, X) -> np.ndarray:
        """Predict the targets of samples.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to predict for.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions of the fine-tuned net.
        """
        return self._of_net("predict", X)

    @own_settings()
    def embed(self, X) -> np.ndarray:
        """Return the activations of the last hidden layer, from which the net predicts.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to embed.

        Returns
        -------
        Z : ndarray of shape (n_samples, width)
            Embeddings, see the method of the same name of ``estimator``.
        """
        return self._of_net("embed", X)

    @own_settings()
    def score(self, X, y, sample_weight=None) -> float:
        """Score the predictions for labelled samples as ``estimator`` does.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to predict for.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. Samples whose target is missing are left out.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            Accuracy of a classifier, coefficient of determination of a regressor.
        """
        check_is_fitted(self)
        X, y = indexable(in_memory(X), in_memory(y))
        given, is_labelled = self._find_labelled(y, X, reset=False)
        if not is_labelled.any():
            raise ValueError("y must have a label for at least one sample to score; got none.")
        X, weight = _take(is_labelled, X, check_weights(sample_weight, X))
        return self.estimator_.score(X, given, weight)

    # Methods that subclasses define ----------------------------------------------------------

    @abstractmethod
    def _find_labelled(self, y, X, *, reset):
        """Validate targets; return those that are given and a mask of their samples.

        With ``reset``, for ``fit``, there must be one at least.
        """

    def _record(self):
        """Return further fitted attributes."""
        return {}

    # Parts -----------------------------------------------------------------------------------

    def _check_parts(self):
        """Raise an error for a clusterer or an estimator that is not supported."""
        net, kind = self._net(), self._net_class.__name__
        if not isinstance(net, self._net_class):
            raise TypeError(f"estimator must be None or a {kind}; got {net!r}.")
        if net.pretrained is not None:
            raise ValueError(
                f"estimator must have pretrained=None, as it is pretrained on the clusters; got "
                f"{net.pretrained!r}. To fine-tune that one, use {kind} alone."
            )
        can_cluster = hasattr(self.clusterer, "fit_predict") or hasattr(self.clusterer, "predict")
        if isinstance(self.clusterer, type) or not can_cluster:
            raise TypeError(
                "clusterer must have a method fit_predict or predict that returns the cluster of "
                f"each sample; got {self.clusterer!r}. Use for example KMeans or a clusterer of "
                "skdeep."
            )

    def _net(self):
        return self._net_class() if self.estimator is None else self.estimator

    def _seeded(self):
        """Make the clusterer and both nets, with seeds for all parts without a random state."""
        seeds = np.random.default_rng(draw_seed(self.random_state))
        net = self._net()
        shared = net.get_params(deep=False).keys() & signature(ResNetClassifier).parameters.keys()
        own = {"label_smoothing", "class_weight", "freeze_epochs", "trunk_lr"}
        first = ResNetClassifier(class_weight="balanced").set_params(
            **{name: getattr(net, name) for name in shared - own},
        )
        first.set_params(max_epochs=self.pretrain_epochs)
        in_subfolder(first, "pretraining")
        second = clone(net).set_params(freeze_epochs=self.freeze_epochs, trunk_lr=self.trunk_lr)
        in_subfolder(second, "fine-tuning")
        return [_with_seeds(part, seeds) for part in (self.clusterer, first, second)]

    def _of_net(self, method, X, **options):
        check_is_fitted(self)
        return getattr(self.estimator_, method)(X, **options)

    @property
    def n_features_in_(self) -> int:
        """Number of features seen during ``fit``."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of features seen during ``fit``."""
        return self.estimator_.feature_names_in_

    def __sklearn_tags__(self):
        """Take the samples that both parts take."""
        tags = super().__sklearn_tags__()
        parts = [get_tags(part) for part in (self.clusterer, self._net())]
        for name in ("sparse", "allow_nan", "string", "categorical"):
            value = all(getattr(part.input_tags, name) for part in parts)
            setattr(tags.input_tags, name, value)
        tags.target_tags.required = True
        return tags


class _Parts:
    """The parts of a fit in progress.

    Parameters
    ----------
    parts : list of estimator
        Clusterer, net for the clusters and net for the targets; not fitted.
    root : sklearn.callback.CallbackContext
    task : dict
        Arguments of the callbacks.
    """

    def __init__(self, parts, root, task):
        self.clusterer, self.first, self.net = parts
        self.root, self.task = root, task

    def cluster(self, X, weight):
        """Fit the clusterer and return the cluster of each sample."""
        params = {}
        if weight is not None and has_fit_parameter(self.clusterer, "sample_weight"):
            params = {"sample_weight": weight}
        return self._carry_out("fit-clusterer", self.clusterer, _cluster, X, **params)

    def pretrain(self, X, clusters, weight):
        """Train a net on the clusters."""
        self._carry_out("pretrain", self.first, _fit, X, clusters, sample_weight=weight)
        self.net.set_params(pretrained=FrozenEstimator(self.first))

    def tune(self, X, y, weight):
        """Fine-tune the net on the targets."""
        self._carry_out("fine-tune", self.net, _fit, X, y, sample_weight=weight)

    def _carry_out(self, name, estimator, function, *args, **kwargs):
        """Call ``function(estimator, ...)`` as a task of its own."""
        context = self.root.subcontext(task_name=name)
        with context.propagate_callback_context(estimator):
            context.call_on_fit_task_begin(**self.task)
            result = function(estimator, *args, **kwargs)
        context.call_on_fit_task_end(**self.task)
        return result


def _cluster(clusterer, X, **params):
    if hasattr(clusterer, "fit_predict") and _takes(clusterer.fit_predict, params):
        return clusterer.fit_predict(X, **params)
    clusterer.fit(X, None, **params)
    if hasattr(clusterer, "predict"):
        return clusterer.predict(as_fitted(clusterer, X))
    return clusterer.labels_


def _takes(method, params):
    """Whether a method takes parameters of these names."""
    taken = signature(method).parameters
    return params.keys() <= taken.keys() or any(
        one.kind is one.VAR_KEYWORD for one in taken.values()
    )


def _as_numbers(labels, n_samples, clusterer):
    """Return a cluster for each sample as an integer, negative for noise.

    Labels that are not integers are numbered in sorted order, as integers beyond 64 bits are.
    """
    labels = np.asarray(labels)
    if labels.shape != (n_samples,):
        raise ValueError(
            f"clusterer must return a cluster for each of {n_samples} samples; got an array of "
            f"shape {labels.shape} from {clusterer!r}."
        )
    if labels.dtype.kind in "bi":
        return labels.astype(np.int64)
    values = [one.item() if hasattr(one, "item") else one for one in labels.tolist()]
    if any(is_missing(one) or one in (np.inf, -np.inf) for one in values):
        raise ValueError(
            "clusterer must return a cluster for each sample; got a missing or infinite one from "
            f"{clusterer!r}."
        )
    if not all(isinstance(one, Real) for one in values):
        return np.unique(list(map(str, values)), return_inverse=True)[1]
    if all(one == int(one) and abs(one) < 2**63 for one in values):
        return np.array(list(map(int, values)), dtype=np.int64)
    codes = {one: code for code, one in enumerate(sorted({one for one in values if one >= 0}))}
    return np.array([codes.get(one, -1) for one in values])


def _fit(estimator, X, y, **params):
    return estimator.fit(X, y, **params)


def _check_clusters(clusters, clusterer):
    """Raise ``ValueError`` unless there are several clusters."""
    found = np.unique(clusters[clusters >= 0])
    if len(found) < 2:
        raise ValueError(
            f"clusterer must return at least two clusters; got {len(found)} from {clusterer!r}. "
            "Change its parameters, or train the net without pretraining."
        )


def _take(mask, *arrays):
    """Select samples from arrays, some of which may be None; all of them without a copy."""
    if mask.all():
        return list(arrays)
    rows = np.flatnonzero(mask)
    return [None if array is None else safe_indexing(array, rows) for array in arrays]


def _with_seeds(estimator, seeds):
    """Clone an estimator, with a seed for each of its parts whose random state is None."""
    params = sorted(estimator.get_params().items())
    names = [name for name, value in params if value is None and name.endswith("random_state")]
    estimator = clone(estimator)
    for name in names:
        estimator.set_params(**{name: int(seeds.integers(2**31))})
    return estimator
