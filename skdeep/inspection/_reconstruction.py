"""Pictures of reconstructed images."""

from collections.abc import Mapping

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skdeep.inspection._drawing import one_axes
from skdeep.inspection._estimators import by_name, split_pipeline
from skdeep.inspection._images import (
    as_images,
    check_shape,
    draw_images,
    find_image_shape,
    sheet_size,
)


class ReconstructionDisplay:
    """Images beside their reconstructions: a row of images, and a row for each autoencoder.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to create a display.
    All arguments are stored as attributes.

    Parameters
    ----------
    images : ndarray of shape (n_rows, n_samples, n_channels, height, width)
        Images; the first row has the originals.
    names : list of str, length n_rows
        Names of the rows.

    Attributes
    ----------
    errors : ndarray of shape (n_rows, n_samples)
        Mean squared difference between each image and the original.
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the axes.
    image_ : matplotlib AxesImage
        All images, with gaps of one pixel.

    See Also
    --------
    ReconstructionErrorDisplay : Histogram of the errors.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skdeep.decomposition import Autoencoder
    >>> from skdeep.inspection import ReconstructionDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> models = {"PCA": PCA(10).fit(X), "autoencoder": Autoencoder(10, max_epochs=2).fit(X)}
    >>> display = ReconstructionDisplay.from_estimator(models, X, image_shape=(8, 8))
    >>> display.names
    ['original', 'PCA', 'autoencoder']
    """

    def __init__(self, images, *, names):
        self.images = images
        self.names = names
        self.errors = np.square(images - images[0]).mean(axis=(2, 3, 4))

    @classmethod
    def from_estimator(
        cls, estimator, X, *, n_samples=10, image_shape=None, ax=None, **kwargs
    ) -> "ReconstructionDisplay":
        """Draw images and their reconstructions by fitted estimators.

        Parameters
        ----------
        estimator : estimator, sequence of estimators, or dict of str to estimator
            Fitted estimators with a method ``reconstruct``, or ``transform`` and
            ``inverse_transform``, such as an autoencoder, PCA, or a pipeline. Keys of a dict are
            the names of the rows.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images.
        n_samples : int, default=10
            Maximum number of images; the first ones are drawn.
        image_shape : (int, int) or (int, int, int), default=None
            ``(height, width)`` or ``(channels, height, width)`` of the images. None for that of
            the first estimator.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.imshow``, such as ``cmap``.

        Returns
        -------
        display : ReconstructionDisplay
            Display that has been drawn.
        """
        estimators = by_name(estimator)
        first = next(iter(estimators.values()))
        shape = find_image_shape(split_pipeline(first)[1], image_shape)
        X = X[:n_samples]
        predictions = {name: _reconstruct(one, X) for name, one in estimators.items()}
        options = {"image_shape": shape, "n_samples": n_samples, "ax": ax}
        return cls.from_predictions(X, predictions, **options, **kwargs)

    @classmethod
    def from_predictions(
        cls, X, X_hat, *, image_shape, n_samples=10, ax=None, **kwargs
    ) -> "ReconstructionDisplay":
        """Draw images and their reconstructions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images.
        X_hat : array-like of shape (n_samples, n_features), or dict of str to these
            Reconstructions, or several by name. Images with noise may be among them.
        image_shape : (int, int) or (int, int, int)
            ``(height, width)`` or ``(channels, height, width)`` of the images.
        n_samples : int, default=10
            Maximum number of images; the first ones are drawn.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.imshow``, such as ``cmap``.

        Returns
        -------
        display : ReconstructionDisplay
            Display that has been drawn.
        """
        rows = dict(X_hat) if isinstance(X_hat, Mapping) else {"reconstruction": X_hat}
        rows = {"original": X} | rows
        check_consistent_length(*(one[:n_samples] for one in rows.values()))
        shape = check_shape(image_shape)
        images = np.stack([as_images(one[:n_samples], shape) for one in rows.values()])
        return cls(images, names=list(rows)).plot(ax=ax, **kwargs)

    def plot(self, *, ax=None, **kwargs) -> "ReconstructionDisplay":
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.imshow``, such as ``cmap``.

        Returns
        -------
        display : ReconstructionDisplay
            Display that has been drawn.
        """
        ax = one_axes(self, ax, figsize=sheet_size(self.images))
        self.image_ = draw_images(ax, self.images, self.names, kwargs)
        return self


def _reconstruct(estimator, X):
    """Reconstructions of samples, (n_samples, n_features)."""
    check_is_fitted(estimator)
    if hasattr(estimator, "reconstruct"):
        return estimator.reconstruct(X)
    if not hasattr(estimator, "transform") or not hasattr(estimator, "inverse_transform"):
        raise TypeError(
            "estimator must have a method reconstruct, or transform and inverse_transform; got "
            f"{type(estimator).__name__}."
        )
    return estimator.inverse_transform(estimator.transform(X))
