"""Pictures of synthetic tables."""

import numpy as np
from sklearn.utils import Bunch

from skdeep.inspection._drawing import several_axes
from skdeep.metrics import synthetic_table_report
from skdeep.metrics._tables import check_columns, encode_tables

_KINDS = ("marginals", "correlations")
_N_BARS = 10
_MAX_NAMES = 40  # of columns beside the correlations; more cannot be read


class SyntheticTableDisplay:
    """Distributions and correlations of the columns of a synthetic table and of a real one.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to create a display.
    All arguments are stored as attributes.

    Parameters
    ----------
    report : :class:`~sklearn.utils.Bunch`
        Result of :func:`~skdeep.metrics.synthetic_table_report`: distances of distributions are in
        ``report.marginal.columns``, correlations in ``report.pairwise``.
    marginals : dict of str or int to :class:`~sklearn.utils.Bunch`
        Distribution of each column by its name: ``real`` and ``synthetic``, ndarrays of shape
        (n_bars,) with fractions of the samples; and either ``edges``, an ndarray of shape
        (n_bars + 1,) with the limits of bins, or ``labels``, a list of the names of categories.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (n_columns,) or (2,)
        Axes of the picture: one for each column, or for real and for synthetic correlations.
    figure_ : matplotlib Figure
        Figure of the axes.
    bars_ : list of tuple of two matplotlib BarContainer, length n_columns
        Real and synthetic bars of each column, with ``kind="marginals"``.
    images_ : list of matplotlib AxesImage, length 2
        Real and synthetic correlations, with ``kind="correlations"``.

    See Also
    --------
    SamplesDisplay : Picture of generated images.
    skdeep.metrics.synthetic_table_report : The numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.decomposition import VariationalAutoencoder
    >>> from skdeep.inspection import SyntheticTableDisplay
    >>> X, _ = load_iris(return_X_y=True)
    >>> vae = VariationalAutoencoder(2, max_epochs=20, random_state=0).fit(X)
    >>> display = SyntheticTableDisplay.from_estimator(vae, X, random_state=0)
    >>> display.report.marginal.mean < 0.5
    True
    >>> correlations = display.plot(kind="correlations")
    """

    def __init__(self, report, *, marginals):
        self.report = report
        self.marginals = marginals

    @classmethod
    def from_estimator(
        cls, estimator, X, *, n_samples=None, random_state=None, ax=None, **kwargs
    ) -> "SyntheticTableDisplay":
        """Draw a table that is sampled from a fitted generator.

        Parameters
        ----------
        estimator : TabularGANSampler, GANSampler or VariationalAutoencoder
            Fitted generator.
        X : dataframe or ndarray of shape (n_real_samples, n_columns)
            Real samples that it was trained on.
        n_samples : int, default=None
            Number of synthetic samples. None for that of ``X``.
        random_state : int, RandomState instance or None, default=None
            Determines the synthetic samples. Pass an int for reproducible results across multiple
            function calls.
        ax : array-like of matplotlib Axes of shape (n_columns,) or (2,), default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of :meth:`from_predictions` and of matplotlib.

        Returns
        -------
        display : SyntheticTableDisplay
            Display that has been drawn.
        """
        if not hasattr(estimator, "sample"):
            raise TypeError(
                "estimator must have a method sample, as TabularGANSampler has; got "
                f"{type(estimator).__name__}."
            )
        n_samples = X.shape[0] if n_samples is None else n_samples
        drawn = estimator.sample(n_samples, random_state=random_state)
        synthetic = drawn[0] if isinstance(drawn, tuple) else drawn
        if hasattr(X, "columns") and not hasattr(synthetic, "columns"):
            # generators of arrays return the columns in the order of X, without their names
            columns = {name: synthetic[:, i] for i, name in enumerate(X.columns)}
            synthetic = type(X)(columns)
        return cls.from_predictions(X, synthetic, random_state=random_state, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        X,
        X_synthetic,
        *,
        kind="marginals",
        columns=None,
        report=None,
        categorical_features="from_dtype",
        random_state=None,
        ax=None,
        **kwargs,
    ) -> "SyntheticTableDisplay":
        """Draw a synthetic table.

        Parameters
        ----------
        X : dataframe or ndarray of shape (n_real_samples, n_columns)
            Real samples.
        X_synthetic : dataframe or ndarray of shape (n_synthetic_samples, n_columns)
            Generated samples, with the same columns in the same order.
        kind : {"marginals", "correlations"}, default="marginals"
            What to draw: the distribution of each column in a panel of its own, with the distance
            between both tables; or the correlations, or other associations, of all columns.
        columns : sequence of str or int, default=None
            Names of the columns, indices for arrays, whose distributions are drawn. None for all.
        report : :class:`~sklearn.utils.Bunch`, default=None
            Result of ``synthetic_table_report(X, X_synthetic)``, if it is already known.
        categorical_features : "from_dtype", array-like of shape (n,) or None, default="from_dtype"
            Categorical columns in addition to those detected by their dtype: a boolean mask,
            indices or names.
        random_state : int, RandomState instance or None, default=None
            Determines the samples that the report draws from large tables.
        ax : array-like of matplotlib Axes of shape (n_columns,) or (2,), default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.bar`` or ``Axes.imshow``.

        Returns
        -------
        display : SyntheticTableDisplay
            Display that has been drawn.
        """
        tables = {"X": X, "X_synthetic": X_synthetic}
        names = check_columns(tables)
        unknown = [name for name in columns or () if name not in names]
        if unknown:
            raise ValueError(f"columns must be among {names}; got {unknown}.")
        if report is None:
            options = {"categorical_features": categorical_features, "random_state": random_state}
            report = synthetic_table_report(X, X_synthetic, **options)
        encoded, is_categorical, categories = encode_tables(tables, None, categorical_features)
        real, synthetic = encoded["X"], encoded["X_synthetic"]
        labels = iter(categories)
        labels = [next(labels) if flag else None for flag in is_categorical]
        shown = names if columns is None else columns
        places = {name: names.index(name) for name in shown}
        marginals = {
            name: _distribution(real[:, place], synthetic[:, place], labels[place])
            for name, place in places.items()
        }
        return cls(report, marginals=marginals).plot(kind=kind, ax=ax, **kwargs)

    def plot(self, *, kind="marginals", ax=None, **kwargs) -> "SyntheticTableDisplay":
        """Draw the tables.

        Parameters
        ----------
        kind : {"marginals", "correlations"}, default="marginals"
            What to draw.
        ax : array-like of matplotlib Axes of shape (n_columns,) or (2,), default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.bar`` or ``Axes.imshow``.

        Returns
        -------
        display : SyntheticTableDisplay
            Display that has been drawn.
        """
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {list(_KINDS)}; got {kind!r}.")
        if kind == "marginals":
            axes = several_axes(self, ax, len(self.marginals), panel_size=(3.5, 3.0))
            panels = zip(axes, self.marginals.items(), strict=True)
            self.bars_ = [self._draw_marginal(one, *pair, kwargs) for one, pair in panels]
            axes[0].legend()
        else:
            axes = several_axes(self, ax, 2, panel_size=(4.5, 4.0))
            self.images_ = self._draw_correlations(axes, kwargs)
        return self

    def _draw_marginal(self, ax, name, marginal, options):
        """Draw the distribution of a column."""
        if marginal.labels is None:
            width = np.diff(marginal.edges)
            center = marginal.edges[:-1] + width / 2
        else:
            width = np.ones(len(marginal.labels))
            center = np.arange(len(marginal.labels))
            ax.set_xticks(center, marginal.labels, rotation=90)
        ax.set_title(f"{name} (distance {self.report.marginal.columns[name]:.2f})")
        return tuple(
            ax.bar(
                center + side * 0.2 * width,
                marginal[table],
                **{"width": 0.4 * width, "label": table} | options,
            )
            for side, table in ((-1, "real"), (1, "synthetic"))
        )

    def _draw_correlations(self, axes, options):
        """Draw the correlations of both tables."""
        names = list(self.report.marginal.columns)
        ticks = range(len(names) if len(names) <= _MAX_NAMES else 0)
        images = []
        for ax, table in zip(axes, ("real", "synthetic"), strict=True):
            shown = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1} | options
            images.append(ax.imshow(self.report.pairwise[table], **shown))
            ax.set_xticks(ticks, names[: len(ticks)], rotation=90)
            ax.set_yticks(ticks, names[: len(ticks)])
            ax.set_title(table)
        axes[0].figure.colorbar(images[0], ax=list(axes), label="correlation")
        return images


def _distribution(real, synthetic, categories):
    """Fractions of the samples in bins, or of the most frequent categories."""
    if categories is None:
        both = np.concatenate([real, synthetic])
        edges = np.histogram_bin_edges(both[np.isfinite(both)], bins=_N_BARS)
        counts = [np.histogram(values, edges)[0] / len(values) for values in (real, synthetic)]
        return Bunch(real=counts[0], synthetic=counts[1], edges=edges, labels=None)
    n = len(categories) + 1
    counts = np.stack(
        [np.bincount(codes.astype(int), minlength=n) / len(codes) for codes in (real, synthetic)]
    )
    labels = np.array(["missing", *map(str, categories)], dtype=object)
    order = np.argsort(-counts[0], kind="stable")
    order = order[counts[:, order].any(axis=0)]
    if len(order) > _N_BARS:
        kept, rest = order[: _N_BARS - 1], order[_N_BARS - 1 :]
        counts = np.column_stack([counts[:, kept], counts[:, rest].sum(axis=1)])
        labels = [*labels[kept], "other"]
    else:
        counts, labels = counts[:, order], list(labels[order])
    return Bunch(real=counts[0], synthetic=counts[1], edges=None, labels=labels)
