"""Pictures of generated images."""

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min

from skdeep.decomposition import VariationalAutoencoder
from skdeep.inspection._drawing import one_axes
from skdeep.inspection._images import (
    as_images,
    check_shape,
    draw_images,
    find_image_shape,
    sheet_size,
)


class SamplesDisplay:
    """Generated images, each above the nearest real image.

    A generated image that equals the nearest real one is a copy. It is recommended to use
    :meth:`from_estimator` or :meth:`from_predictions` to create a display. All arguments are stored
    as attributes.

    Parameters
    ----------
    generated : ndarray of shape (n_samples, n_channels, height, width)
        Generated images.
    nearest : ndarray of shape (n_samples, n_channels, height, width)
        The real image that is nearest to each generated one.
    indices : ndarray of shape (n_samples,), default=None
        Indices of the nearest images among the real ones.
    distances : ndarray of shape (n_samples,), default=None
        Euclidean distances to them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the axes.
    image_ : matplotlib AxesImage
        All images, with gaps of one pixel.

    See Also
    --------
    SyntheticTableDisplay : Picture of generated tables.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep.decomposition import VariationalAutoencoder
    >>> from skdeep.inspection import SamplesDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> vae = VariationalAutoencoder(4, max_epochs=3, random_state=0).fit(X)
    >>> display = SamplesDisplay.from_estimator(vae, X, image_shape=(8, 8), random_state=0)
    >>> display.generated.shape
    (10, 1, 8, 8)
    """

    def __init__(self, generated, nearest, *, indices=None, distances=None):
        self.generated = generated
        self.nearest = nearest
        self.indices = indices
        self.distances = distances

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        n_samples=10,
        image_shape=None,
        random_state=None,
        ax=None,
        **kwargs,
    ) -> "SamplesDisplay":
        """Draw images from a fitted generator.

        Parameters
        ----------
        estimator : GANSampler or VariationalAutoencoder
            Fitted generator. Variational autoencoders draw images without observation noise.
        X : {array-like, sparse matrix} of shape (n_real_samples, n_features)
            Real images, among which the nearest ones are searched; usually the training samples.
        y : array-like of shape (n_samples,) or a label, default=None
            Classes of the generated images, for generators that were fitted with classes.
        n_samples : int, default=10
            Number of images to generate.
        image_shape : (int, int) or (int, int, int), default=None
            ``(height, width)`` or ``(channels, height, width)`` of the images. None for that of
            the estimator.
        random_state : int, RandomState instance or None, default=None
            Determines the generated images. Pass an int for reproducible results across multiple
            function calls.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.imshow``, such as ``cmap``.

        Returns
        -------
        display : SamplesDisplay
            Display that has been drawn.
        """
        if not hasattr(estimator, "sample"):
            raise TypeError(
                "estimator must have a method sample, as GANSampler and VariationalAutoencoder "
                f"have; got {type(estimator).__name__}. Pass the last step of a pipeline, and "
                "samples as its other steps transform them."
            )
        draw = {"random_state": random_state}
        if isinstance(estimator, VariationalAutoencoder):
            draw["observation_noise"] = False
        if y is not None:
            draw["y"] = y
        drawn = estimator.sample(n_samples, **draw)
        generated = drawn[0] if isinstance(drawn, tuple) else drawn
        shape = find_image_shape(estimator, image_shape)
        options = {"image_shape": shape, "n_samples": n_samples, "ax": ax}
        return cls.from_predictions(generated, X, **options, **kwargs)

    @classmethod
    def from_predictions(
        cls, X_generated, X, *, image_shape, n_samples=10, ax=None, **kwargs
    ) -> "SamplesDisplay":
        """Draw generated images.

        Parameters
        ----------
        X_generated : array-like of shape (n_generated_samples, n_features)
            Generated images.
        X : {array-like, sparse matrix} of shape (n_real_samples, n_features)
            Real images.
        image_shape : (int, int) or (int, int, int)
            ``(height, width)`` or ``(channels, height, width)`` of the images.
        n_samples : int, default=10
            Maximum number of generated images; the first ones are drawn.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.imshow``, such as ``cmap``.

        Returns
        -------
        display : SamplesDisplay
            Display that has been drawn.
        """
        shape = check_shape(image_shape)
        generated = as_images(X_generated[:n_samples], shape)
        real = as_images(X, shape)
        rows = generated.reshape(len(generated), -1), real.reshape(len(real), -1)
        indices, distances = pairwise_distances_argmin_min(*rows)
        display = cls(generated, real[indices], indices=indices, distances=distances)
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax=None, **kwargs) -> "SamplesDisplay":
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.imshow``, such as ``cmap``.

        Returns
        -------
        display : SamplesDisplay
            Display that has been drawn.
        """
        images = np.stack([self.generated, self.nearest])
        ax = one_axes(self, ax, figsize=sheet_size(images))
        self.image_ = draw_images(ax, images, ["generated", "nearest real"], kwargs)
        return self
