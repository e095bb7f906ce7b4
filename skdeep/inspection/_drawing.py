"""What the displays have in common: axes, and colors of classes."""

import numpy as np

# Qualitative color maps by the number of their colors; others are not qualitative.
_QUALITATIVE = {10: "tab10", 20: "tab20"}
_MAX_CLASSES = 20  # of numbers; others have a color bar


def import_pyplot(display):
    """Import matplotlib's pyplot when a display needs a figure."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__} requires matplotlib; install it by "
            "pip install 'skdeep[plot]'."
        ) from error
    return plt


def one_axes(display, ax, figsize=None):
    """Return the given axes, or those of a new figure, and store them in the display."""
    if ax is None:
        plt = import_pyplot(display)
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def several_axes(display, ax, n_panels, panel_size):
    """Return as many of the given axes, or those of a new figure, in at most four columns."""
    if ax is not None:
        axes = np.atleast_1d(ax).ravel()
        if len(axes) < n_panels:
            raise ValueError(f"ax must have {n_panels} axes; got {len(axes)}.")
        axes = axes[:n_panels]
    else:
        plt = import_pyplot(display)
        n_columns = min(n_panels, 4)
        n_rows = -(-n_panels // n_columns)
        size = panel_size[0] * n_columns, panel_size[1] * n_rows
        options = {"figsize": size, "squeeze": False, "layout": "constrained"}
        _, axes = plt.subplots(n_rows, n_columns, **options)
        for unused in axes.flat[n_panels:]:
            unused.remove()
        axes = axes.ravel()[:n_panels]
    display.ax_, display.figure_ = axes, axes[0].figure
    return axes


def encode_colors(y):
    """Values that colors show, and the names of the classes.

    The names are None for numbers: fractions, or more than 20 distinct values.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class or number of each sample.
    """
    y = np.asarray(y)
    classes, codes = np.unique(y, return_inverse=True)
    is_number = y.dtype.kind in "iuf"
    if is_number and (len(classes) > _MAX_CLASSES or (classes != np.round(classes)).any()):
        return y, None
    return codes, [str(name) for name in classes]


def class_colors(n_classes):
    """Color map and limits in which the classes 0, 1, ... have distinct colors."""
    n_colors = min((n for n in _QUALITATIVE if n >= n_classes), default=None)
    return _QUALITATIVE.get(n_colors, "turbo"), (-0.5, (n_colors or n_classes) - 0.5)


def draw_points(ax, points, values, names, options):
    """Draw points, in colors if there are values, with their legend; ``PathCollection``."""
    defaults = {"s": 8}
    if values is not None:
        defaults["c"] = values
    if names is not None:
        defaults["cmap"], (defaults["vmin"], defaults["vmax"]) = class_colors(len(names))
    drawn = ax.scatter(*points.T, **defaults | options)
    if names is not None:
        add_legend(ax, drawn, names)
    elif values is not None:
        ax.figure.colorbar(drawn, ax=ax)
    return drawn


def add_legend(ax, colored, names):
    """Name the colors of the classes."""
    from matplotlib.patches import Patch

    colors = [colored.to_rgba(number) for number in range(len(names))]
    patches = [Patch(color=color, label=name) for color, name in zip(colors, names, strict=True)]
    ax.legend(handles=patches, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
