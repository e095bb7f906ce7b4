"""Pictures of training."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdeep.inspection._drawing import one_axes
from skdeep.inspection._estimators import by_name, split_pipeline

_STYLES = {"training": "-", "validation": "--", "generator": "-", "critic": ":"}


class LossCurveDisplay:
    """Loss of one or several nets in each epoch of their training.

    It is recommended to use :meth:`from_estimator` to create a display. All arguments are stored as
    attributes.

    Parameters
    ----------
    curves : dict of str to dict of str to ndarray of shape (n_epochs,)
        Losses of each net by its name: ``"training"`` and, if there was a validation set,
        ``"validation"``; for a GAN, ``"generator"`` and ``"critic"``.
    best_epochs : dict of str to int, default=None
        Epoch with the lowest validation loss, for those nets that have one.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the axes.
    lines_ : list of matplotlib Line2D, length n_curves
        Curves, net by net, in the order of ``curves``.
    best_points_ : list of matplotlib Line2D, length n_best_epochs
        Markers of the best epochs.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by number of training samples.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.decomposition import Autoencoder
    >>> from skdeep.inspection import LossCurveDisplay
    >>> X, _ = load_iris(return_X_y=True)
    >>> nets = {f"lr={lr}": Autoencoder(lr=lr, max_epochs=5).fit(X) for lr in (1e-3, 1e-2)}
    >>> display = LossCurveDisplay.from_estimator(nets)
    >>> [line.get_label() for line in display.lines_]
    ['lr=0.001: training', 'lr=0.01: training']
    """

    def __init__(self, curves, *, best_epochs=None):
        self.curves = curves
        self.best_epochs = best_epochs

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs) -> "LossCurveDisplay":
        """Draw the loss curves of fitted estimators.

        Parameters
        ----------
        estimator : estimator, sequence of estimators, or dict of str to estimator
            Fitted estimators with a ``loss_curve_``, of skdeep or scikit-learn, or pipelines that
            end with one. Keys of a dict are their names in the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.plot``, such as ``linewidth``.

        Returns
        -------
        display : LossCurveDisplay
            Display that has been drawn.
        """
        nets = {name: _last_step(one) for name, one in by_name(estimator).items()}
        best = {name: getattr(net, "best_epoch_", None) for name, net in nets.items()}
        display = cls(
            {name: _curves(net) for name, net in nets.items()},
            best_epochs={name: epoch for name, epoch in best.items() if epoch is not None},
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax=None, **kwargs) -> "LossCurveDisplay":
        """Draw the loss curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.plot``, such as ``linewidth``.

        Returns
        -------
        display : LossCurveDisplay
            Display that has been drawn.
        """
        ax = one_axes(self, ax)
        self.lines_, self.best_points_ = [], []
        for number, (name, curves) in enumerate(self.curves.items()):
            prefix = f"{name}: " if len(self.curves) > 1 else ""
            color = {"color": f"C{number}"}
            for kind, losses in curves.items():
                style = color | {"linestyle": _STYLES[kind], "label": prefix + kind} | kwargs
                self.lines_ += ax.plot(np.arange(1, len(losses) + 1), losses, **style)
            if name in (self.best_epochs or {}):
                best = self.best_epochs[name]
                label = f"{prefix}best epoch"
                self.best_points_ += ax.plot(
                    best, curves["validation"][best - 1], "o", label=label, **color
                )
        ax.set(xlabel="epoch", ylabel="loss")
        ax.legend()
        return self


def _last_step(estimator):
    """Return an estimator with a loss curve, the last step of a pipeline."""
    _, net = split_pipeline(estimator)
    check_is_fitted(net)
    if not hasattr(net, "loss_curve_"):
        parts = next(
            (name for name in ("estimators_", "best_estimator_") if hasattr(net, name)), None
        )
        remedy = f" Pass its {parts}." if parts else " Pass a net."
        raise TypeError(
            f"estimator must have a loss_curve_; {type(net).__name__} has none.{remedy}"
        )
    return net


def _curves(net):
    """Losses of a net by what they are of, (n_epochs,) each."""
    if hasattr(net, "critic_loss_curve_"):
        names = {"generator": "loss_curve_", "critic": "critic_loss_curve_"}
    else:
        names = {"training": "loss_curve_", "validation": "validation_loss_curve_"}
    return {
        kind: np.asarray(getattr(net, name), dtype=np.float64)
        for kind, name in names.items()
        if hasattr(net, name)
    }
