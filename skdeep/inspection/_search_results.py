"""Pictures of the results of searches."""

import numpy as np

from skdeep.inspection._drawing import one_axes
from skdeep.inspection._search_tables import (
    default_kind,
    heat_map,
    is_wide,
    parallel_coordinates,
    read_candidates,
    score_curve,
)

_KINDS = ("auto", "curve", "heatmap", "parallel", "halving")


class SearchResultsDisplay:
    """Scores of the candidates of a search: curve, heat map, parallel coordinates, or halving.

    It is recommended to use :meth:`from_estimator` or :meth:`from_cv_results` to create a display.
    All arguments are stored as attributes.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_columns), (n_values,) or (n_candidates,)
        Score of each pair of values in a heat map, of each value on a curve, else the last score of
        each candidate. NaN are left white.
    kind : {"curve", "heatmap", "parallel", "halving"}
        What to draw.
    names : list of str, length n_axes
        Parameter of a curve; parameters of columns and rows of a heat map; parameters of the
        vertical axes of parallel coordinates; name of the resource of halving.
    best : int or (int, int)
        Index of the best candidate in ``scores``.
    score_name : str, default="score"
        Name of the score.
    ticks : list of list of str or list of dict of str to float, length n_axes, default=None
        Labels of the columns and rows of a heat map, or of the values of a curve that are not
        numbers; or labels and places on the axes of parallel coordinates.
    curves : list of ndarray of shape (n_points, 2), default=None
        Line of each candidate: number of the parameter and place on its axis, or resource and
        score. The only line of ``kind="curve"``: value of the parameter and score.
    params : list of dict, default=None
        Parameters of each line.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the axes.
    image_ : matplotlib AxesImage
        Scores, with ``kind="heatmap"``.
    lines_ : matplotlib LineCollection or list of matplotlib Line2D
        Candidates, with ``kind="parallel"`` or ``"halving"``; the curve, with ``kind="curve"``.
    best_ : matplotlib Line2D
        Mark of the best candidate; its own line with ``kind="halving"``.

    See Also
    --------
    skdeep.model_selection.BatchedGridSearchCV : Grid search.
    skdeep.model_selection.BatchedHalvingSearchCV : Successive halving.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.decomposition import Autoencoder
    >>> from skdeep.inspection import SearchResultsDisplay
    >>> from skdeep.model_selection import BatchedGridSearchCV
    >>> X, _ = load_iris(return_X_y=True)
    >>> grid = {"lr": [1e-3, 1e-2, 1e-1], "noise": [0.0, 0.1]}
    >>> search = BatchedGridSearchCV(Autoencoder(2, max_epochs=3, random_state=0), grid, cv=2)
    >>> display = SearchResultsDisplay.from_estimator(search.fit(X))
    >>> display.names, display.scores.shape
    (['lr', 'noise'], (2, 3))
    """

    def __init__(
        self,
        scores,
        *,
        kind,
        names,
        best,
        score_name="score",
        ticks=None,
        curves=None,
        params=None,
    ):
        self.scores = scores
        self.kind = kind
        self.names = names
        self.best = best
        self.score_name = score_name
        self.ticks = ticks
        self.curves = curves
        self.params = params

    @classmethod
    def from_estimator(
        cls, estimator, *, metric=None, kind="auto", ax=None, **kwargs
    ) -> "SearchResultsDisplay":
        """Draw the results of a fitted search.

        Parameters
        ----------
        estimator : estimator
            Fitted search, of skdeep or scikit-learn, with ``cv_results_``.
        metric : str, default=None
            Name of the score, if there are several. None for the one that decides.
        kind : {"auto", "curve", "heatmap", "parallel", "halving"}, default="auto"
            What to draw, see :meth:`from_cv_results`.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of :meth:`from_cv_results` and of matplotlib.

        Returns
        -------
        display : SearchResultsDisplay
            Display that has been drawn.
        """
        if not hasattr(estimator, "cv_results_"):
            raise TypeError(
                f"estimator must be a fitted search; {type(estimator).__name__} has no "
                "cv_results_. Fit it, or pass a table of results to from_cv_results."
            )
        if metric is None and getattr(estimator, "multimetric_", False):
            if not isinstance(estimator.refit, str):
                raise ValueError(
                    "metric must be given for a search with several scores and "
                    f"refit={estimator.refit!r}; got None."
                )
            metric = estimator.refit
        options = {"metric": metric or "score", "kind": kind, "ax": ax}
        return cls.from_cv_results(estimator.cv_results_, **options, **kwargs)

    @classmethod
    def from_cv_results(
        cls,
        cv_results,
        *,
        metric="score",
        kind="auto",
        params=None,
        resource=None,
        negate_score=False,
        ax=None,
        **kwargs,
    ) -> "SearchResultsDisplay":
        """Draw a table of results.

        Parameters
        ----------
        cv_results : dict of str to ndarray of shape (n_candidates,)
            ``cv_results_`` of a search, or what :func:`~skdeep.model_selection.read_journal`
            returns. Candidates without a finite score are left out.
        metric : str, default="score"
            Name of the score.
        kind : {"auto", "curve", "heatmap", "parallel", "halving"}, default="auto"
            What to draw: the score for each value of a parameter, or for each pair of values of two
            parameters, which is the best one if other parameters vary; a line for each candidate
            over all parameters, colored by the score; or the scores of candidates by resource in
            successive halving. All but the last draw only the last iteration of each candidate of
            halving. ``"auto"`` is a curve for one parameter, a heat map for two, and parallel
            coordinates for more.
        params : sequence of str, default=None
            Names of the parameters to show, of columns and rows in a heat map. None for those that
            have several values.
        resource : str, default=None
            Parameter that is the resource of successive halving. None for ``n_resources`` in the
            table, which a journal does not have.
        negate_score : bool, default=False
            Whether to show negated scores, such as errors for ``"neg_mean_squared_error"``. Colors
            can then be logarithmic with ``norm="log"``.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.imshow`` for a heat map, ``LineCollection`` for parallel
            coordinates, and ``Axes.plot`` for curves.

        Returns
        -------
        display : SearchResultsDisplay
            Display that has been drawn.
        """
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {list(_KINDS)}; got {kind!r}.")
        found = read_candidates(cv_results, metric, resource)
        kind = default_kind(found, params) if kind == "auto" else kind
        shown = _halving(found) if kind == "halving" else _last(found, kind, params)
        if negate_score:
            shown["scores"] = -shown["scores"]
            metric = metric.removeprefix("neg_") if metric.startswith("neg_") else f"-{metric}"
            if kind in ("curve", "halving"):
                shown["curves"] = [curve * [1, -1] for curve in shown["curves"]]
        return cls(**shown, kind=kind, score_name=metric).plot(ax=ax, **kwargs)

    def plot(self, *, ax=None, **kwargs) -> "SearchResultsDisplay":
        """Draw the results.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.imshow`` for a heat map, ``LineCollection`` for parallel
            coordinates, and ``Axes.plot`` for curves.

        Returns
        -------
        display : SearchResultsDisplay
            Display that has been drawn.
        """
        ax = one_axes(self, ax)
        draw = {
            "curve": self._draw_curve,
            "heatmap": self._draw_heat_map,
            "parallel": self._draw_parallel_coordinates,
            "halving": self._draw_halving,
        }
        draw[self.kind](ax, kwargs)
        return self

    def _draw_curve(self, ax, options):
        (curve,) = self.curves
        self.lines_ = ax.plot(*curve.T, **{"marker": "o"} | options)
        self._mark_best(ax, *curve[self.best])
        ax.set(xlabel=self.names[0], ylabel=self.score_name)
        if self.ticks is not None:
            ax.set_xticks(curve[:, 0], self.ticks[0])
        elif is_wide(curve[:, 0]):
            ax.set_xscale("log")

    def _mark_best(self, ax, x, y):
        cross = {"color": "red", "markersize": 10, "markeredgewidth": 2.5, "linestyle": "none"}
        (self.best_,) = ax.plot(x, y, "x", **cross, label="best")

    def _draw_heat_map(self, ax, options):
        options = {"origin": "lower", "aspect": "auto"} | options
        self.image_ = ax.imshow(np.ma.masked_invalid(self.scores), **options)
        self._mark_best(ax, self.best[1], self.best[0])
        columns, rows = self.ticks
        ax.set_xticks(range(len(columns)), columns)
        ax.set_yticks(range(len(rows)), rows)
        ax.set(xlabel=self.names[0], ylabel=self.names[1])
        ax.figure.colorbar(self.image_, ax=ax, label=self.score_name)

    def _draw_parallel_coordinates(self, ax, options):
        from matplotlib.collections import LineCollection

        self.lines_ = LineCollection(self.curves, array=self.scores, **options)
        ax.add_collection(self.lines_)
        best = {"color": "red", "linewidth": 2.5, "label": "best"}
        (self.best_,) = ax.plot(*self.curves[self.best].T, **best)
        for number, places in enumerate(self.ticks):
            ax.axvline(number, color="gray", linewidth=0.8)
            for label, place in places.items():
                ax.annotate(label, (number, place), (4, 0), textcoords="offset points", va="center")
        ax.set_xticks(range(len(self.names)), self.names)
        ax.set_yticks([])
        ax.set(xlim=(-0.3, len(self.names) - 0.5), ylim=(-0.05, 1.05))
        ax.set_frame_on(False)
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
        ax.figure.colorbar(self.lines_, ax=ax, label=self.score_name)

    def _draw_halving(self, ax, options):
        self.lines_ = []
        for number, curve in enumerate(self.curves):
            is_best = number == self.best
            style = {"color": "C3" if is_best else "C0", "alpha": 1.0 if is_best else 0.5}
            style |= {"marker": "o", "zorder": 3 if is_best else 2}
            style |= {"label": "best"} if is_best else {}
            self.lines_ += ax.plot(*curve.T, **style | options)
        self.best_ = self.lines_[self.best]
        resources = np.unique(np.concatenate(self.curves)[:, 0])
        ax.set(xscale="log", xlabel=self.names[0], ylabel=self.score_name)
        ax.set_xticks(resources, [f"{one:g}" for one in resources])
        ax.minorticks_off()
        ax.legend(handles=[self.best_])


def _last(candidates, kind, params):
    """Arguments of the display for the last score of each candidate."""
    candidates = candidates.last()
    if kind == "heatmap":
        scores, names, ticks = heat_map(candidates, params)
        row, column = np.unravel_index(np.nanargmax(scores), scores.shape)
        return {"scores": scores, "names": names, "ticks": ticks, "best": (int(row), int(column))}
    if kind == "curve":
        curve, names, labels = score_curve(candidates, params)
        ticks = None if labels is None else [labels]
        shown = {"scores": curve[:, 1], "curves": [curve], "best": int(np.nanargmax(curve[:, 1]))}
        return shown | {"names": names, "ticks": ticks}
    curves, names, ticks = parallel_coordinates(candidates, params)
    shown = {"scores": candidates.scores, "params": candidates.params, "curves": curves}
    return shown | {"names": names, "ticks": ticks, "best": int(candidates.scores.argmax())}


def _halving(candidates):
    """Arguments of the display for the curves of successive halving."""
    if candidates.resources is None:
        raise ValueError(
            "kind='halving' needs results of successive halving, with 'n_resources', or the name "
            "of a parameter as resource; got neither."
        )
    params, curves = candidates.curves()
    last = np.array([curve[-1] for curve in curves])
    # only candidates with all resources can be the best
    most = np.where(last[:, 0] == last[:, 0].max(), last[:, 1], -np.inf)
    shown = {"scores": last[:, 1], "params": params, "curves": curves, "best": int(most.argmax())}
    return shown | {"names": [candidates.resource]}
