"""Deep ensembles: several nets of one estimator, which differ in their seed only."""

import copy

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skdeep._stacking import Fit, fit_together
from skdeep._training._callbacks import FitTasks
from skdeep._training._state import LIVE_ATTRIBUTES
from skdeep.utils._random import draw_seed

__all__ = ["EnsembleMixin"]


class EnsembleMixin:
    """Trains ``n_estimators`` nets as one stack, instead of a single one [1]_.

    Each is the net that an estimator with ``n_estimators=1`` and the member's ``random_state``
    gives. What they predict is averaged by the subclass, over ``_members``.

    References
    ----------
    .. [1] Lakshminarayanan, Pritzel and Blundell (2017), "Simple and Scalable Predictive
       Uncertainty Estimation using Deep Ensembles", NeurIPS.
    """

    # What members have in common, and the ensemble with them.
    _SHARED = (
        "classes_",
        "device_",
        "feature_names_in_",
        "is_categorical_",
        "n_features_in_",
        "_has_many_outputs",
        "_target_kind",
    )

    # Of a single net only; they do not outlive it.
    _OF_ONE = (*LIVE_ATTRIBUTES, "_baseline", "_categories", "_is_fitted_in_parts", "_seed")

    def _fit(self, X, y, sample_weight):
        if self.n_estimators == 1:
            return super()._fit(X, y, sample_weight)
        members = self._make_members(resume=self.warm_start)
        tasks = FitTasks(self, X, y, sample_weight, n_epochs=None)
        fits = [Fit(one, X, y, sample_weight) for one in members]
        for error in fit_together(fits, self.device, on_epoch=tasks.report_epoch):
            if error is not None:
                raise error
        self._take(members)
        tasks.end()
        return self

    def _runs(self, X, y, sample_weight, device):
        if self.n_estimators == 1:
            self._check_number(resume=self.warm_start)
            yield from super()._runs(X, y, sample_weight, device)
            vars(self).pop("estimators_", None)
            return
        members = self._make_members(resume=self.warm_start)
        for member in members:
            yield from member._runs(X, y, sample_weight, device)
        self._take(members)

    def _partial_fit(self, X, y, sample_weight):
        if self.n_estimators == 1:
            self._check_number(resume=True)
            return super()._partial_fit(X, y, sample_weight)
        members = self._make_members(resume=True)
        for member in members:
            member._announced_classes = vars(self).get("_announced_classes")
            member._partial_fit(X, y, sample_weight)
            del member._announced_classes
        return self._take(members)

    def _check_number(self, resume):
        """Whether there are fitted nets to go on with; an error if they are more or fewer."""
        if not resume or not hasattr(self, "n_features_in_"):
            return False
        n_fitted = len(vars(self).get("estimators_", [self]))
        if n_fitted != self.n_estimators:
            raise ValueError(
                "warm_start and partial_fit must go on with as many nets as were fitted, "
                f"{n_fitted}; got n_estimators={self.n_estimators}. Fit a clone instead."
            )
        return True

    def _make_members(self, resume):
        """Estimators to fit: new ones, or copies of the fitted ones to go on with."""
        if self._check_number(resume):
            params = {**self.get_params(deep=False), "n_estimators": 1}
            del params["random_state"]
            members = copy.deepcopy(self.estimators_)
            return [member.set_params(**params) for member in members]
        seeds = np.random.SeedSequence(draw_seed(self.random_state))
        members = [
            clone(self).set_params(n_estimators=1, random_state=int(seed))
            for seed in seeds.generate_state(self.n_estimators)
        ]
        return [member.set_callbacks() for member in members]

    def _take(self, members):
        """Set the fitted attributes of an ensemble."""
        fitted = {name for name in vars(self) if name.endswith("_") and not name.startswith("_")}
        for name in fitted.union(self._OF_ONE):
            vars(self).pop(name, None)
        self.estimators_ = members
        for name in self._SHARED:
            if name in vars(members[0]):
                setattr(self, name, vars(members[0])[name])
        self.n_iter_ = max(member.n_iter_ for member in members)
        return self

    def _members(self):
        """Fitted single nets: those of the ensemble, or the estimator itself."""
        check_is_fitted(self)
        return vars(self).get("estimators_", [self])

    def _trains_on(self):
        members = vars(self).get("estimators_", [])
        return super()._trains_on() or any(one._is_fitted_in_parts for one in members)

    def _plain_state(self, *, has_optimizer):
        state = super()._plain_state(has_optimizer=has_optimizer)
        if "estimators_" in state:
            state["estimators_"] = [
                member._plain_state(has_optimizer=has_optimizer) for member in self.estimators_
            ]
        return state

    def __setstate__(self, state):
        """Restore; members that were trained on a device that is missing are on another one."""
        super().__setstate__(state)
        if "estimators_" in vars(self):
            self.estimators_ = [self._restored(state) for state in self.estimators_]
            self.device_ = self.estimators_[0].device_
