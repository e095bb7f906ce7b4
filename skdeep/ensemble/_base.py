"""Base class of deep ensembles."""

import copy
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skdeep._checkpoint import in_subfolder
from skdeep._training._tasks import FitTasks
from skdeep.base import DeepEstimator
from skdeep.ensemble._members import Member, fit_members
from skdeep.utils._docs import DocumentationLinkMixin
from skdeep.utils._params import POSITIVE_INTEGER, Parameters, param
from skdeep.utils._random import draw_seed
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import (
    HasMethods,
    fit_context,
    is_routing_enabled,
)


def members_have(name):
    """Return a check for ``available_if`` that the estimator has an attribute."""
    return lambda ensemble: hasattr(ensemble.estimator, name)


class DeepEnsemble(
    MetaEstimatorMixin,
    DocumentationLinkMixin,
    CallbackSupportMixin,
    Parameters,
    BaseEstimator,
    ABC,
):
    """Several nets of one estimator that differ in their seeds, trained as one stack.

    ``estimators_`` is the only attribute that ``fit`` sets. It is replaced as a whole, so that a
    failed fit leaves the ensemble unchanged.
    """

    estimator: Any = param(HasMethods(["fit", "predict"]), kw_only=False)
    n_estimators: int = param(POSITIVE_INTEGER, default=5, kw_only=False)
    random_state: int | np.random.RandomState | None = param("random_state", default=None)

    #: description of valid estimators for the error message
    _kind_of_member: ClassVar[str]

    # ``sample_weight`` is consumed by the members, as requested on ``estimator``.
    __metadata_request__fit: ClassVar[dict] = {"sample_weight": UNUSED}
    __metadata_request__partial_fit: ClassVar[dict] = {"sample_weight": UNUSED}

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    @own_settings()
    def fit(self, X, y, sample_weight=None) -> Self:
        """Train all nets.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to train on.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.

        Returns
        -------
        self : object
            The fitted ensemble.
        """
        self._check_estimator()
        metadata = self._metadata("fit", sample_weight)
        members = self._make_members(resume=bool(self.estimator.warm_start))
        for number, member in enumerate(members):
            in_subfolder(member, f"member{number}")
        root = self._init_callback_context(max_subtasks=len(members))
        task = FitTasks(self, X, y, sample_weight).task
        root.call_on_fit_task_begin(**task)
        fit_members([Member(one, X, y, metadata) for one in members], self, root, task)
        self.estimators_ = members
        root.call_on_fit_task_end(**task, reconstruction_attributes={})
        return self

    @available_if(members_have("embed"))
    @own_settings()
    def embed(self, X) -> np.ndarray:
        """Compute the inputs of the last layer of each net, concatenated.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to embed.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_estimators * width)
            Features of the first net, then of the second one, and so on.
        """
        return np.hstack(self._of_members("embed", X))

    # Members -------------------------------------------------------------------------------

    def _partial_fit(self, X, y, sample_weight, **options):
        """Train every net for one epoch."""
        self._check_estimator()
        options |= self._metadata("partial_fit", sample_weight)
        members = self._make_members(resume=True)
        for member in members:
            member.partial_fit(X, y, **options)
        self.estimators_ = members
        return self

    @staticmethod
    @abstractmethod
    def _is_right_kind(estimator):
        """Whether the estimator predicts what the ensemble predicts."""

    def _check_estimator(self):
        """Raise ``TypeError`` for an estimator that is not supported as a member."""
        if isinstance(self.estimator, DeepEstimator) and self._is_right_kind(self.estimator):
            return
        raise TypeError(
            f"estimator must be {self._kind_of_member}; got {self.estimator!r}. Instead of an "
            "ensemble of pipelines, use a pipeline that ends with the ensemble."
        )

    def _make_members(self, *, resume):
        """Make the estimators to fit: new ones or, to resume, copies of the fitted ones."""
        if resume and hasattr(self, "estimators_"):
            return self._copy_members()
        seeds = np.random.SeedSequence(draw_seed(self.random_state))
        return [
            clone(self.estimator).set_params(random_state=int(seed))
            for seed in seeds.generate_state(int(self.n_estimators))
        ]

    def _copy_members(self):
        """Copy the fitted members, with the current parameters of the estimator."""
        fitted = self.estimators_
        if len(fitted) != self.n_estimators or type(fitted[0]) is not type(self.estimator):
            raise ValueError(
                "warm_start and partial_fit require the same number and class of nets as in the "
                f"last fit, {len(fitted)} of {type(fitted[0]).__name__}; got "
                f"n_estimators={self.n_estimators} of {type(self.estimator).__name__}. Fit a "
                "clone instead."
            )
        members = copy.deepcopy(fitted)
        for member in members:
            params = clone(self.estimator).get_params(deep=False)
            member.set_params(**{**params, "random_state": member.random_state})
        return members

    def _metadata(self, method, sample_weight):
        """Return the metadata that is passed to a method of the members."""
        if sample_weight is None:
            return {}
        if not is_routing_enabled():
            return {"sample_weight": sample_weight}
        return process_routing(self, method, sample_weight=sample_weight).estimator[method]

    def _of_members(self, method, X, **options):
        """Call a method of each member on new samples and return a list of results."""
        check_is_fitted(self)
        return [getattr(member, method)(X, **options) for member in self.estimators_]

    def __getstate__(self):
        """Keep the state of the members' optimizers if ``warm_start`` is set on the estimator."""
        state = dict(super().__getstate__())
        if "estimators_" in state and self.estimator.warm_start:
            state["estimators_"] = [
                copy.copy(member).set_params(warm_start=True) for member in self.estimators_
            ]
        return state

    # Fitted attributes that follow from the members ----------------------------------------

    @property
    def n_features_in_(self) -> int:
        """Number of features seen during ``fit``."""
        return self.estimators_[0].n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of features seen during ``fit``."""
        return self.estimators_[0].feature_names_in_

    @property
    def n_iter_(self) -> int:
        """Number of epochs of the net that was trained longest."""
        return max(member.n_iter_ for member in self.estimators_)

    @property
    def device_(self) -> str:
        """Device the nets are on."""
        return self.estimators_[0].device_

    def get_metadata_routing(self) -> MetadataRouter:
        """Get metadata routing of the ensemble: that of ``estimator``.

        Returns
        -------
        routing : MetadataRouter
            ``fit`` and ``partial_fit`` pass ``sample_weight`` on to the methods of these names.
        """
        methods = MethodMapping().add(caller="fit", callee="fit")
        methods.add(caller="partial_fit", callee="partial_fit")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=methods)

    def __sklearn_tags__(self):
        """Take what the estimator takes."""
        tags = super().__sklearn_tags__()
        of_member = get_tags(self.estimator)
        tags.input_tags = of_member.input_tags
        tags.target_tags = of_member.target_tags
        return tags
