"""Pictures of the disagreement of deep ensembles."""

import numpy as np
from scipy.special import entr
from sklearn.base import is_classifier
from sklearn.utils.validation import check_consistent_length

from skdeep.ensemble import DeepEnsembleClassifier, DeepEnsembleRegressor
from skdeep.inspection._drawing import one_axes

_KINDS = ("histogram", "retention")


class EnsembleDisagreementDisplay:
    """Disagreement of the nets of an ensemble: its distribution, or what it tells of the errors.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to create a display.
    All arguments are stored as attributes.

    Parameters
    ----------
    disagreement : ndarray of shape (n_samples,)
        Disagreement of the nets on each sample.
    errors : ndarray of shape (n_samples,), default=None
        Error of the ensemble on each sample.
    kind : {"histogram", "retention"}, default="histogram"
        What to draw.
    name : str, default="disagreement"
        Name of the measure of disagreement.

    Attributes
    ----------
    retained : ndarray of shape (n_levels,)
        Fractions of the samples that are retained, those with the lowest disagreement first. Only
        available with errors.
    retained_errors : ndarray of shape (n_levels,)
        Mean error of the retained samples. Only available with errors.
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the axes.
    bars_ : list of matplotlib BarContainer, length 1 or 2
        Histogram of all samples or, if all errors are 0 or 1, of right and of wrong predictions.
        Only available with ``kind="histogram"``.
    lines_ : list of matplotlib Line2D, length 2
        Errors of the retained samples, and the mean error of all samples. Only available with
        ``kind="retention"``.

    Notes
    -----
    Disagreement is not the only source of uncertainty. Nets may agree that they cannot tell: if
    they are trained too little, all of their probabilities are low, and so is the mutual
    information of samples that they get wrong.

    See Also
    --------
    skdeep.ensemble.DeepEnsembleClassifier : Ensemble of classifiers.
    skdeep.ensemble.DeepEnsembleRegressor : Ensemble of regressors.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.ensemble import DeepEnsembleClassifier
    >>> from skdeep.inspection import EnsembleDisagreementDisplay
    >>> from skdeep.neural_network import ResNetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = ResNetClassifier(1, width=16, max_epochs=5)
    >>> ensemble = DeepEnsembleClassifier(net, n_estimators=3, random_state=0).fit(X, y)
    >>> display = EnsembleDisagreementDisplay.from_estimator(ensemble, X, y, kind="retention")
    >>> bool(abs(display.retained_errors[-1] + ensemble.score(X, y) - 1) < 1e-9)
    True
    """

    def __init__(self, disagreement, *, errors=None, kind="histogram", name="disagreement"):
        self.disagreement = disagreement
        self.errors = errors
        self.kind = kind
        self.name = name
        if errors is not None:
            # samples of equal disagreement are retained together, as nothing orders them
            values, groups, sizes = np.unique(disagreement, return_inverse=True, return_counts=True)
            number = np.cumsum(sizes)
            total = np.cumsum(np.bincount(groups, errors, minlength=len(values)))
            self.retained, self.retained_errors = number / len(errors), total / number

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, kind="histogram", ax=None, **kwargs
    ) -> "EnsembleDisagreementDisplay":
        """Draw the disagreement of a fitted ensemble.

        Parameters
        ----------
        estimator : DeepEnsembleClassifier or DeepEnsembleRegressor
            Fitted ensemble. The disagreement of classifiers is the mutual information of the
            predicted class and the net, in nats: the entropy of the mean probabilities minus the
            mean entropy of the nets. That of regressors is the standard deviation of the
            predictions. Over several labels or outputs, both are averaged.
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets; required for ``"retention"``. Errors are 0 or 1 for classes, and absolute
            errors for regressors.
        kind : {"histogram", "retention"}, default="histogram"
            What to draw: the distribution of the disagreement, if ``y`` is given for right and for
            wrong predictions of classes; or the mean error of the fraction of the samples with the
            lowest disagreement, for all fractions. If the disagreement tells which predictions to
            trust, this curve rises.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.hist`` or ``Axes.plot``, such as ``bins`` or ``color``.

        Returns
        -------
        display : EnsembleDisagreementDisplay
            Display that has been drawn.
        """
        if not isinstance(estimator, DeepEnsembleClassifier | DeepEnsembleRegressor):
            raise TypeError(
                "estimator must be a DeepEnsembleClassifier or DeepEnsembleRegressor; got "
                f"{type(estimator).__name__}. Pass the last step of a pipeline, and samples as its "
                "other steps transform them."
            )
        predicted = estimator.predict(X)
        if is_classifier(estimator):
            disagreement = _mutual_information(estimator, X, is_multilabel=predicted.ndim == 2)
            name = "mutual information (nats)"
        else:
            # return_std=True may include the noise that the nets predict
            disagreement = _mean_over_outputs(np.std(estimator._of_members("predict", X), axis=0))
            name = "standard deviation"
        errors = None
        if y is not None:
            check_consistent_length(X, y)
            wrong = predicted != np.asarray(y) if is_classifier(estimator) else predicted - y
            errors = _mean_over_outputs(np.abs(np.asarray(wrong, dtype=np.float64)))
        options = {"kind": kind, "name": name, "ax": ax}
        return cls.from_predictions(disagreement, errors, **options, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        disagreement,
        errors=None,
        *,
        kind="histogram",
        name="disagreement",
        ax=None,
        **kwargs,
    ) -> "EnsembleDisagreementDisplay":
        """Draw disagreements of any kind.

        Parameters
        ----------
        disagreement : array-like of shape (n_samples,)
            Disagreement on each sample.
        errors : array-like of shape (n_samples,), default=None
            Error on each sample; required for ``"retention"``.
        kind : {"histogram", "retention"}, default="histogram"
            What to draw.
        name : str, default="disagreement"
            Name of the measure of disagreement.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.hist`` or ``Axes.plot``, such as ``bins`` or ``color``.

        Returns
        -------
        display : EnsembleDisagreementDisplay
            Display that has been drawn.
        """
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {list(_KINDS)}; got {kind!r}.")
        if kind == "retention" and errors is None:
            raise ValueError("kind='retention' needs targets or errors; got None.")
        check_consistent_length(disagreement, errors)
        errors = None if errors is None else np.asarray(errors, dtype=np.float64)
        display = cls(np.asarray(disagreement), errors=errors, kind=kind, name=name)
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax=None, **kwargs) -> "EnsembleDisagreementDisplay":
        """Draw the disagreement.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.hist`` or ``Axes.plot``, such as ``bins`` or ``color``.

        Returns
        -------
        display : EnsembleDisagreementDisplay
            Display that has been drawn.
        """
        ax = one_axes(self, ax)
        if self.kind == "histogram":
            self._draw_histogram(ax, kwargs)
        else:
            everything = {"color": "gray", "linestyle": "--", "label": "all samples"}
            self.lines_ = [
                *ax.plot(self.retained, self.retained_errors, **{"label": "retained"} | kwargs),
                ax.axhline(self.errors.mean(), **everything),
            ]
            ax.set(xlabel=f"fraction with the lowest {self.name}", ylabel="mean error")
            ax.legend()
        return self

    def _draw_histogram(self, ax, options):
        """Draw one histogram, or two for right and wrong predictions."""
        parts, names = [self.disagreement], None
        if self.errors is not None and np.isin(self.errors, [0, 1]).all():
            wrong = self.errors == 1
            parts, names = [self.disagreement[~wrong], self.disagreement[wrong]], ["right", "wrong"]
        *_, bars = ax.hist(parts, **{"bins": 30, "stacked": True, "label": names} | options)
        self.bars_ = [bars] if names is None else list(bars)
        ax.set(xlabel=self.name, ylabel="samples")
        if names is not None:
            ax.legend()


def _mutual_information(ensemble, X, *, is_multilabel):
    """Mutual information of class and net for each sample, mean over labels; (n_samples,)."""
    members = np.stack([member.predict_proba(X) for member in ensemble.estimators_])
    if is_multilabel:  # each label is one more choice of two classes
        members = np.stack([members, 1 - members], axis=-1)  # (n_members, n_samples, n_labels, 2)
    gain = entr(members.mean(axis=0)).sum(axis=-1) - entr(members).sum(axis=-1).mean(axis=0)
    return _mean_over_outputs(gain).clip(0)


def _mean_over_outputs(values):
    """Mean over all axes but the first."""
    return values.reshape(len(values), -1).mean(axis=1)
