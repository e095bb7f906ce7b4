"""Samples as images, and pictures of many of them."""

import math

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdeep.base import DeepEstimator
from skdeep.utils._slabs import dense


def find_image_shape(estimator, image_shape):
    """Return a given shape, else that of a fitted estimator, as ``(channels, height, width)``.

    Raises
    ------
    ValueError
        If neither has a shape, or a shape is not that of an image.
    """
    if image_shape is None and isinstance(estimator, DeepEstimator):
        check_is_fitted(estimator)
        image_shape = estimator._fitted_image_shape
    if image_shape is None:
        raise ValueError(
            "image_shape must be given, as (height, width) or (channels, height, width), since the "
            f"{type(estimator).__name__} was fitted without it."
        )
    return check_shape(image_shape)


def check_shape(image_shape):
    """Convert ``(height, width)`` or ``(channels, height, width)`` to the latter."""
    shape = tuple(image_shape)
    shape = (1, *shape) if len(shape) == 2 else shape
    if len(shape) != 3 or min(shape) < 1 or shape[0] not in (1, 3):
        raise ValueError(
            "image_shape must be (height, width) or (channels, height, width), with one or three "
            f"channels; got {tuple(image_shape)}."
        )
    return shape


def as_images(X, shape):
    """Reshape rows of pixels to images, (n_samples, channels, height, width)."""
    X = np.asarray(dense(X, slice(None)), dtype=np.float64)
    if math.prod(X.shape[1:]) != math.prod(shape):
        raise ValueError(
            f"image_shape must have as many pixels as X has features; got {shape} with "
            f"{math.prod(shape)} pixels and X with {math.prod(X.shape[1:])} features."
        )
    return X.reshape(-1, *shape)


def draw_images(ax, images, names, options):
    """Draw images side by side, with a name for each row, as one ``AxesImage``.

    Parameters
    ----------
    ax : matplotlib Axes
    images : ndarray of shape (n_rows, n_columns, channels, height, width)
    names : list of str, length n_rows
    options : dict
        Arguments of ``Axes.imshow``. Colored images are scaled to the range from ``vmin`` to
        ``vmax``, by default that of all images.
    """
    n_rows, n_columns, n_channels, height, width = images.shape
    gaps = [(0, 0), (0, 0), (0, 0), (0, 1), (0, 1)]
    sheet = np.pad(images, gaps, constant_values=np.nan)
    sheet = sheet.transpose(0, 3, 1, 4, 2)  # (n_rows, height + 1, n_columns, width + 1, channels)
    sheet = sheet.reshape(n_rows * (height + 1), n_columns * (width + 1), n_channels)[:-1, :-1]
    if n_channels == 1:
        sheet = np.ma.masked_invalid(sheet[:, :, 0])
    else:
        low, high = options.get("vmin", images.min()), options.get("vmax", images.max())
        sheet = ((sheet - low) / (high - low if high > low else 1)).clip(0, 1)
        sheet = np.dstack([np.nan_to_num(sheet), ~np.isnan(sheet[:, :, 0])])
    drawn = ax.imshow(sheet, **{"cmap": "gray_r", "interpolation": "nearest"} | options)
    ax.set_frame_on(False)
    ax.set_xticks([])
    ax.set_yticks((height + 1) * np.arange(n_rows) + (height - 1) / 2, names)
    ax.tick_params(length=0)
    return drawn


def sheet_size(images):
    """Size of a figure for ``draw_images``, in inches."""
    n_rows, n_columns, _, height, width = images.shape
    return 0.8 * n_columns + 1.2, 0.8 * n_rows * height / width + 0.4
