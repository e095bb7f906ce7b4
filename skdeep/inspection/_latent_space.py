"""Pictures of the codes of encoders."""

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skdeep.decomposition import VariationalAutoencoder
from skdeep.inspection._drawing import draw_points, encode_colors, one_axes
from skdeep.inspection._estimators import split_pipeline
from skdeep.inspection._images import as_images, draw_images, find_image_shape, sheet_size
from skdeep.inspection._plane import name_axes, project

_KINDS = ("scatter", "traversal")


class LatentSpaceDisplay:
    """Codes of samples in a plane, or images that are decoded along the axes of the latent space.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to create a display.
    All arguments are stored as attributes.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, 2), or (n_rows, n_steps, n_components)
        Codes in the plane or, with ``images``, the codes that they were decoded from.
    names : list of str, length 1, 2 or n_rows
        Names of the two axes, of the horizontal axis of a strip or, with ``images``, of the rows.
    y : ndarray of shape (n_samples,), default=None
        Color of each sample: a number, or the index of its class.
    classes : list of str, default=None
        Names of the classes.
    images : ndarray of shape (n_rows, n_steps, n_channels, height, width), default=None
        Decoded images: in each row, a single component changes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the axes.
    points_ : matplotlib PathCollection
        Samples, with ``kind="scatter"``.
    image_ : matplotlib AxesImage
        Images, with ``kind="traversal"``.

    See Also
    --------
    ClusterMapDisplay : The same plane, colored by cluster.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.decomposition import Autoencoder
    >>> from skdeep.inspection import LatentSpaceDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> ae = Autoencoder(2, max_epochs=5, random_state=0).fit(X)
    >>> display = LatentSpaceDisplay.from_estimator(ae, X, y)
    >>> display.codes.shape
    (150, 2)
    """

    def __init__(self, codes, *, names, y=None, classes=None, images=None):
        self.codes = codes
        self.names = names
        self.y = y
        self.classes = classes
        self.images = images

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        y=None,
        *,
        kind="scatter",
        components=None,
        n_steps=9,
        limit=3.0,
        image_shape=None,
        ax=None,
        **kwargs,
    ) -> "LatentSpaceDisplay":
        """Draw the latent space of a fitted encoder.

        Parameters
        ----------
        estimator : estimator
            Fitted transformer, such as an autoencoder, or a pipeline that ends with one. For a
            traversal, a :class:`~skdeep.decomposition.VariationalAutoencoder`.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Samples; required for ``"scatter"``.
        y : array-like of shape (n_samples,), default=None
            Class or number that colors show.
        kind : {"scatter", "traversal"}, default="scatter"
            What to draw: the codes of samples, in a strip if they have one component; or images
            that are decoded while one component after the other is changed and the others are zero,
            the mean of their prior.
        components : sequence of int, default=None
            Indices of components: the two that span the plane, or those that are traversed. None
            for the two principal components of the codes if there are more than two, and for all
            in a traversal.
        n_steps : int, default=9
            Number of images for each component in a traversal.
        limit : float, default=3.0
            Components are changed from ``-limit`` to ``limit`` standard deviations of their prior.
        image_shape : (int, int) or (int, int, int), default=None
            ``(height, width)`` or ``(channels, height, width)`` of decoded images. None for that of
            the estimator.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.scatter`` or ``Axes.imshow``, such as ``cmap``.

        Returns
        -------
        display : LatentSpaceDisplay
            Display that has been drawn.
        """
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {list(_KINDS)}; got {kind!r}.")
        if kind == "traversal":
            options = {"components": components, "n_steps": n_steps, "limit": limit}
            return cls(**_traverse(estimator, image_shape, **options)).plot(ax=ax, **kwargs)
        if X is None:
            raise ValueError("kind='scatter' needs X; got None.")
        if not hasattr(estimator, "transform"):
            raise TypeError(
                f"estimator must have a method transform; got {type(estimator).__name__}."
            )
        codes = estimator.transform(X)
        return cls.from_predictions(codes, y, components=components, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls, Z, y=None, *, components=None, ax=None, **kwargs
    ) -> "LatentSpaceDisplay":
        """Draw codes in a plane, or in a strip if they have one component.

        The height of a point in a strip has no meaning.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Codes.
        y : array-like of shape (n_samples,), default=None
            Class or number that colors show.
        components : (int, int), default=None
            Indices of the components that span the plane. None for the two principal components of
            the codes if there are more than two.
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.scatter``, such as ``cmap``.

        Returns
        -------
        display : LatentSpaceDisplay
            Display that has been drawn.
        """
        check_consistent_length(Z, y)
        points, names = project(np.asarray(Z), components)
        values, classes = (None, None) if y is None else encode_colors(y)
        return cls(points, names=names, y=values, classes=classes).plot(ax=ax, **kwargs)

    def plot(self, *, ax=None, **kwargs) -> "LatentSpaceDisplay":
        """Draw the latent space.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None for a new figure.
        **kwargs : dict
            Arguments of ``Axes.scatter`` or ``Axes.imshow``, such as ``cmap``.

        Returns
        -------
        display : LatentSpaceDisplay
            Display that has been drawn.
        """
        if self.images is None:
            ax = one_axes(self, ax)
            self.points_ = draw_points(ax, self.codes, self.y, self.classes, kwargs)
            name_axes(ax, self.names)
        else:
            ax = one_axes(self, ax, figsize=sheet_size(self.images))
            self.image_ = draw_images(ax, self.images, self.names, kwargs)
        return self


def _traverse(estimator, image_shape, *, components, n_steps, limit):
    """Codes, names and images of a traversal, as arguments of the display."""
    _, vae = split_pipeline(estimator)
    if not isinstance(vae, VariationalAutoencoder):
        raise TypeError(
            "estimator must be a VariationalAutoencoder for kind='traversal', as other encoders "
            f"have no prior; got {type(vae).__name__}."
        )
    check_is_fitted(vae)
    shape = find_image_shape(vae, image_shape)
    n_components = len(vae.get_feature_names_out())
    chosen = range(n_components) if components is None else list(components)
    if not all(0 <= one < n_components for one in chosen):
        raise ValueError(
            f"components must be indices below {n_components}, the number of components; got "
            f"{components!r}."
        )
    codes = np.zeros((len(chosen), n_steps, n_components))
    for row, component in zip(codes, chosen, strict=True):
        row[:, component] = np.linspace(-limit, limit, n_steps)
    pixels = estimator.inverse_transform(codes.reshape(-1, n_components))
    images = as_images(pixels, shape).reshape(len(chosen), n_steps, *shape)
    return {"codes": codes, "names": [f"component {one}" for one in chosen], "images": images}
