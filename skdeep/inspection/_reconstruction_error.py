"""Pictures of reconstruction errors."""

import numpy as np
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skdeep.inspection._drawing import one_axes
from skdeep.inspection._estimators import split_pipeline


class ReconstructionErrorDisplay:
    """Histogram of reconstruction errors, with the threshold above which samples are outliers.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to create a display.
    All arguments are stored as attributes.

    Parameters
    ----------
    errors : ndarray of shape (n_samples,)
        Reconstruction error of each sample.
    y : ndarray of shape (n_samples,), default=None
        Class of each sample; each class has a histogram of its own.
    threshold : float, default=None
        Error that is marked.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the axes.
    bars_ : list of matplotlib BarContainer, length n_classes
        Histogram of each class, in sorted order; one without classes.
    line_ : matplotlib Line2D or None
        Threshold.

    See Also
    --------
    ReconstructionDisplay : Images beside their reconstructions.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.decomposition import Autoencoder
    >>> from skdeep.inspection import ReconstructionErrorDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> ae = Autoencoder(1, max_epochs=5, random_state=0).fit(X[y == 0])
    >>> display = ReconstructionErrorDisplay.from_estimator(ae, X, y == 0, contamination=0.2)
    >>> int((display.errors > display.threshold).sum())
    30
    """

    def __init__(self, errors, *, y=None, threshold=None):
        self.errors = errors
        self.y = y
        self.threshold = threshold

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, threshold=None, contamination=None, ax=None, **kwargs
    ) -> "ReconstructionErrorDisplay":
        """Draw the reconstruction errors of samples.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with a method ``reconstruction_error``, such as an autoencoder, or a
            pipeline that ends with one. Errors are in the units of its last step.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,), default=None
            Class of each sample; each class has a histogram of its own.
        threshold : float, default=None
            Error to mark.
        contamination : float, default=None
            Fraction of the samples whose error is above the threshold, in (0, 1), instead of
            ``threshold``.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.hist``, such as ``bins``.

        Returns
        -------
        display : ReconstructionErrorDisplay
            Display that has been drawn.
        """
        first_steps, net = split_pipeline(estimator)
        if not hasattr(net, "reconstruction_error"):
            raise TypeError(
                "estimator must have a method reconstruction_error, as autoencoders have; got "
                f"{type(net).__name__}. Pass the errors of others to from_predictions."
            )
        errors = net.reconstruction_error(first_steps(X))
        marks = {"threshold": threshold, "contamination": contamination}
        return cls.from_predictions(errors, y, **marks, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls, errors, y=None, *, threshold=None, contamination=None, ax=None, **kwargs
    ) -> "ReconstructionErrorDisplay":
        """Draw errors.

        Parameters
        ----------
        errors : array-like of shape (n_samples,)
            Error of each sample.
        y : array-like of shape (n_samples,), default=None
            Class of each sample; each class has a histogram of its own.
        threshold : float, default=None
            Error to mark.
        contamination : float, default=None
            Fraction of the samples whose error is above the threshold, in (0, 1), instead of
            ``threshold``.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.hist``, such as ``bins``.

        Returns
        -------
        display : ReconstructionErrorDisplay
            Display that has been drawn.
        """
        errors = column_or_1d(errors, dtype=np.float64)
        check_consistent_length(errors, y)
        if contamination is not None:
            if threshold is not None or not 0 < contamination < 1:
                raise ValueError(
                    "contamination must be in (0, 1), and threshold None; got "
                    f"{contamination=} and {threshold=}."
                )
            threshold = float(np.quantile(errors, 1 - contamination))
        display = cls(errors, y=None if y is None else column_or_1d(y), threshold=threshold)
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax=None, **kwargs) -> "ReconstructionErrorDisplay":
        """Draw the histogram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.hist``, such as ``bins``.

        Returns
        -------
        display : ReconstructionErrorDisplay
            Display that has been drawn.
        """
        ax = one_axes(self, ax)
        options = {"bins": 30, "stacked": self.y is not None} | kwargs
        if self.y is None:
            *_, bars = ax.hist(self.errors, **options)
            self.bars_ = [bars]
        else:
            classes = np.unique(self.y)
            parts = [self.errors[self.y == one] for one in classes]
            *_, bars = ax.hist(parts, **{"label": [str(one) for one in classes]} | options)
            self.bars_ = [bars] if len(parts) == 1 else list(bars)
        self.line_ = None
        if self.threshold is not None:
            line = {"color": "black", "linestyle": "--", "label": f"threshold {self.threshold:.3g}"}
            self.line_ = ax.axvline(self.threshold, **line)
        if self.y is not None or self.line_:
            ax.legend()
        ax.set(xlabel="reconstruction error", ylabel="samples")
        return self
