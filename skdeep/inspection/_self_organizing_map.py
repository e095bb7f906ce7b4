"""Pictures of self-organizing maps."""

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skdeep.cluster import SelfOrganizingMap
from skdeep.inspection._drawing import add_legend, class_colors, several_axes

_KINDS = ("u_matrix", "hits", "components", "classes")
_LABELS = {"u_matrix": "mean distance to adjacent units", "hits": "samples"}


class SOMDisplay:
    """Picture of a self-organizing map, in which each unit is a square or a hexagon.

    It is recommended to use :meth:`from_estimator` to create a display. All arguments are stored as
    attributes.

    Parameters
    ----------
    values : ndarray of shape (n_units,) or (n_units, n_panels)
        Value of each unit: of its color, or in each of several panels. NaN are left white.
    unit_coordinates : ndarray of shape (n_units, 2)
        Horizontal and vertical position of each unit.
    topology : {"rectangular", "hexagonal"}
        Shape of the units.
    kind : {"u_matrix", "hits", "components", "classes"}, default="u_matrix"
        What the values are.
    names : sequence of str, default=None
        Names of the panels, or of the classes, which the values 0, 1, ... index.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes of shape (n_panels,)
        Axes of the picture; with ``kind="components"`` one for each component.
    figure_ : matplotlib Figure
        Figure of the axes.
    units_ : list of matplotlib PolyCollection, length n_panels
        Units in each panel.

    See Also
    --------
    skdeep.cluster.SelfOrganizingMap : The map itself.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.cluster import SelfOrganizingMap
    >>> from skdeep.inspection import SOMDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> som = SelfOrganizingMap((6, 8), topology="hexagonal", random_state=0).fit(X)
    >>> display = SOMDisplay.from_estimator(som, X, kind="hits")
    >>> int(display.values.sum())
    150
    """

    def __init__(self, values, *, unit_coordinates, topology, kind="u_matrix", names=None):
        self.values = values
        self.unit_coordinates = unit_coordinates
        self.topology = topology
        self.kind = kind
        self.names = names

    @classmethod
    def from_estimator(
        cls, estimator, X=None, y=None, *, kind="u_matrix", components=None, ax=None, **kwargs
    ) -> "SOMDisplay":
        """Draw a fitted map.

        Parameters
        ----------
        estimator : SelfOrganizingMap
            Fitted map.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Samples; required for ``"hits"`` and ``"classes"``.
        y : array-like of shape (n_samples,), default=None
            Class of each sample; required for ``"classes"``.
        kind : {"u_matrix", "hits", "components", "classes"}, default="u_matrix"
            What colors show: the mean distance to adjacent units, the number of samples, the weight
            of each feature in a panel of its own, or the most frequent class of the samples of each
            unit.
        components : sequence of int, default=None
            Indices of the features to show with ``"components"``; None for all.
        ax : matplotlib Axes or array-like of Axes of shape (n_panels,), default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``matplotlib.collections.PolyCollection``, such as ``cmap``.

        Returns
        -------
        display : SOMDisplay
            Display that has been drawn.
        """
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {list(_KINDS)}; got {kind!r}.")
        if not isinstance(estimator, SelfOrganizingMap):
            raise TypeError(
                f"estimator must be a SelfOrganizingMap; got {type(estimator).__name__}. Pass the "
                "last step of a pipeline, and samples as its other steps transform them."
            )
        check_is_fitted(estimator)
        values, names = _values(estimator, X, y, kind, components)
        display = cls(
            values,
            unit_coordinates=estimator.unit_coordinates_,
            topology=estimator._fitted_params["topology"],
            kind=kind,
            names=names,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax=None, **kwargs) -> "SOMDisplay":
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes of shape (n_panels,), default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``matplotlib.collections.PolyCollection``, such as ``cmap``.

        Returns
        -------
        display : SOMDisplay
            Display that has been drawn.
        """
        panels = self.values.reshape(len(self.values), -1).T
        axes = several_axes(self, ax, len(panels), panel_size=(4.5, 4.0))
        self.units_ = [self._draw(*pair, kwargs) for pair in zip(axes, panels, strict=True)]
        if self.kind == "components":
            for one, name in zip(axes, self.names, strict=True):
                one.set_title(name)
        else:
            self.ax_ = axes[0]
        return self

    def _draw(self, ax, values, options):
        """Draw the units of one panel, with the legend of their colors."""
        from matplotlib.collections import PolyCollection

        polygons = self.unit_coordinates[:, None] + _outline(self.topology)
        defaults = {"cmap": "viridis", "edgecolors": "face"}
        if self.kind == "classes":
            defaults["cmap"], defaults["clim"] = class_colors(len(self.names))
        units = PolyCollection(polygons, array=np.ma.masked_invalid(values), **defaults | options)
        ax.add_collection(units)
        ax.set_aspect("equal")
        ax.autoscale_view()
        ax.set_axis_off()
        if self.kind == "classes":
            add_legend(ax, units, self.names)
        else:
            ax.figure.colorbar(units, ax=ax, label=_LABELS.get(self.kind, ""))
        return units


def _outline(topology):
    """Corners of a unit around its position; (n_corners, 2)."""
    if topology == "rectangular":
        return np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    angle = np.pi / 6 + np.arange(6) * np.pi / 3
    return np.column_stack([np.cos(angle), np.sin(angle)]) / 3**0.5


def _values(som, X, y, kind, components):
    """Values of the units, and names of panels or classes, or None."""
    if kind == "u_matrix":
        return som.u_matrix_.ravel(), None
    if kind == "components":
        weights = som.cluster_centers_
        chosen = np.arange(weights.shape[1]) if components is None else np.asarray(components)
        names = getattr(som, "feature_names_in_", [f"feature {i}" for i in range(weights.shape[1])])
        return weights[:, chosen], [str(names[i]) for i in chosen]
    if X is None or (y is None and kind == "classes"):
        needed = "X and y" if kind == "classes" else "X"
        raise ValueError(f"kind={kind!r} needs {needed}; got None.")
    if kind == "hits":
        return som.hit_counts(X).ravel(), None
    check_consistent_length(X, y)
    classes, encoded = np.unique(np.asarray(y), return_inverse=True)
    hits = [som.hit_counts(X, sample_weight=encoded == k).ravel() for k in range(len(classes))]
    hits = np.stack(hits, axis=1)  # (n_units, n_classes)
    most = np.where(hits.sum(axis=1) > 0, hits.argmax(axis=1), np.nan)
    return most, [str(name) for name in classes]
