"""Pictures of clusterings."""

import numpy as np
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skdeep._encoder import EncoderMixin
from skdeep.inspection._drawing import draw_points, encode_colors, one_axes
from skdeep.inspection._estimators import split_pipeline
from skdeep.inspection._plane import name_axes, project
from skdeep.utils._slabs import dense

_COLORS = ("clusters", "classes")


class ClusterMapDisplay:
    """Samples in the plane of two components, colored by their cluster or their class.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to create a display.
    All arguments are stored as attributes.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Samples in the plane.
    labels : ndarray of shape (n_samples,)
        Cluster of each sample.
    y : ndarray of shape (n_samples,), default=None
        Class of each sample.
    names : list of str, length 1 or 2, default=None
        Names of the two axes, or of the horizontal axis of a strip.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the axes.
    points_ : matplotlib PathCollection
        Samples.

    See Also
    --------
    SOMDisplay : Picture of a self-organizing map.
    skdeep.metrics.clustering_accuracy : Agreement of clusters and classes.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.cluster import IMSAT
    >>> from skdeep.inspection import ClusterMapDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> imsat = IMSAT(3, max_epochs=5, n_init=1, random_state=0).fit(X)
    >>> display = ClusterMapDisplay.from_estimator(imsat, X, y)
    >>> by_class = display.plot(color_by="classes")
    """

    def __init__(self, points, labels, *, y=None, names=None):
        self.points = points
        self.labels = labels
        self.y = y
        self.names = names

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, components=None, color_by="clusters", ax=None, **kwargs
    ) -> "ClusterMapDisplay":
        """Draw the clusters of samples.

        The plane is that of the codes of an encoder, which includes deep clusterers and the last
        transformers of a pipeline, and otherwise that of the features. A single component is drawn
        as a strip, in which the height of a point has no meaning.

        Parameters
        ----------
        estimator : estimator
            Fitted clusterer with a method ``predict``, or a pipeline that ends with one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,), default=None
            Class of each sample.
        components : (int, int), default=None
            Indices of the components that span the plane. None for the first two principal
            components if there are more than two.
        color_by : {"clusters", "classes"}, default="clusters"
            What colors show.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.scatter``, such as ``cmap``.

        Returns
        -------
        display : ClusterMapDisplay
            Display that has been drawn.
        """
        if not hasattr(estimator, "predict"):
            raise TypeError(
                f"estimator must have a method predict; got {type(estimator).__name__}. Pass the "
                "labels of others to from_predictions."
            )
        labels = estimator.predict(X)
        first_steps, clusterer = split_pipeline(estimator)
        Z = first_steps(X)
        if isinstance(clusterer, EncoderMixin):
            Z = clusterer.transform(Z)
        options = {"components": components, "color_by": color_by, "ax": ax}
        return cls.from_predictions(Z, labels, y, **options, **kwargs)

    @classmethod
    def from_predictions(
        cls, Z, labels, y=None, *, components=None, color_by="clusters", ax=None, **kwargs
    ) -> "ClusterMapDisplay":
        """Draw samples and their clusters, in a strip if there is a single component.

        Parameters
        ----------
        Z : {array-like, sparse matrix} of shape (n_samples, n_components)
            Samples, or their codes.
        labels : array-like of shape (n_samples,)
            Cluster of each sample.
        y : array-like of shape (n_samples,), default=None
            Class of each sample.
        components : (int, int), default=None
            Indices of the components that span the plane. None for the first two principal
            components if there are more than two.
        color_by : {"clusters", "classes"}, default="clusters"
            What colors show.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.scatter``, such as ``cmap``.

        Returns
        -------
        display : ClusterMapDisplay
            Display that has been drawn.
        """
        check_consistent_length(Z, labels, y)
        points, names = project(np.asarray(dense(Z, slice(None))), components)
        y = None if y is None else column_or_1d(y)
        display = cls(points, column_or_1d(labels), y=y, names=names)
        return display.plot(color_by=color_by, ax=ax, **kwargs)

    def plot(self, *, color_by="clusters", ax=None, **kwargs) -> "ClusterMapDisplay":
        """Draw the samples.

        Parameters
        ----------
        color_by : {"clusters", "classes"}, default="clusters"
            What colors show.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.scatter``, such as ``cmap``.

        Returns
        -------
        display : ClusterMapDisplay
            Display that has been drawn.
        """
        if color_by not in _COLORS:
            raise ValueError(f"color_by must be one of {list(_COLORS)}; got {color_by!r}.")
        if color_by == "classes" and self.y is None:
            raise ValueError("color_by='classes' needs y; got None.")
        ax = one_axes(self, ax)
        codes, names = encode_colors(self.labels if color_by == "clusters" else self.y)
        self.points_ = draw_points(ax, self.points, codes, names, kwargs)
        if names is not None:
            ax.get_legend().set_title(color_by)
        if self.names is not None:
            name_axes(ax, self.names)
        return self
