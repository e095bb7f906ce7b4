"""Deep ensembles: several nets of one estimator, which differ in their seed only."""

import copy

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skdeep._stacking import Fit, fit_together
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

    def _fit(self, X, y, sample_weight):
        if self.n_estimators == 1:
            self._forget_members()
            return super()._fit(X, y, sample_weight)
        members = self._make_members()
        errors = fit_together([Fit(one, X, y, sample_weight) for one in members], self.device)
        for error in errors:
            if error is not None:
                raise error
        return self._take(members)

    def _runs(self, X, y, sample_weight, device):
        if self.n_estimators == 1:
            self._forget_members()
            yield from super()._runs(X, y, sample_weight, device)
            return
        members = self._make_members()
        for member in members:
            yield from member._runs(X, y, sample_weight, device)
        self._take(members)

    def _partial_fit(self, X, y, sample_weight):
        if self.n_estimators == 1:
            return super()._partial_fit(X, y, sample_weight)
        members = self._make_members(resume=hasattr(self, "estimators_"))
        for member in members:
            member._announced_classes = vars(self).get("_announced_classes")
            member._partial_fit(X, y, sample_weight)
            del member._announced_classes
        return self._take(members)

    def _make_members(self, resume=None):
        """Estimators to fit: new ones, or copies of the fitted ones to go on with."""
        params = {**self.get_params(deep=False), "n_estimators": 1}
        resume = self.warm_start and hasattr(self, "n_features_in_") if resume is None else resume
        if resume:
            members = copy.deepcopy(vars(self).get("estimators_", []))
            if len(members) != self.n_estimators:
                raise ValueError(
                    "warm_start and partial_fit must go on with as many nets as were fitted, "
                    f"{max(1, len(members))}; got n_estimators={self.n_estimators}. Fit a clone "
                    "instead."
                )
            del params["random_state"]
            return [member.set_params(**params) for member in members]
        seeds = np.random.SeedSequence(draw_seed(self.random_state)).generate_state(
            self.n_estimators
        )
        members = [clone(self).set_params(n_estimators=1, random_state=int(s)) for s in seeds]
        return [member.set_callbacks() for member in members]

    def _take(self, members):
        """Set the fitted attributes of an ensemble."""
        fitted = {name for name in vars(self) if name.endswith("_") and not name.startswith("_")}
        for name in fitted | set(LIVE_ATTRIBUTES):
            vars(self).pop(name, None)
        self.estimators_ = members
        for name in self._SHARED:
            if name in vars(members[0]):
                setattr(self, name, vars(members[0])[name])
        self.n_iter_ = max(member.n_iter_ for member in members)
        return self

    def _forget_members(self):
        """Leave no ensemble behind when a single net is fitted."""
        if "estimators_" in vars(self):
            del self.estimators_, self.n_features_in_

    def _members(self):
        """Fitted single nets: those of the ensemble, or the estimator itself."""
        check_is_fitted(self)
        return vars(self).get("estimators_", [self])
