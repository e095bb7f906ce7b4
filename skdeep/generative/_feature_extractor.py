"""What a critic learned to look at, as features."""

from numbers import Integral
from typing import Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skdeep._preprocessing._distribution import sample_rows
from skdeep.base import DeepEstimator
from skdeep.generative._base import AdversarialMixin
from skdeep.generative._rows import RowGANMixin
from skdeep.utils._params import param
from skdeep.utils._random import numpy_generator
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import Interval, fit_context, with_callbacks
from skdeep.utils._slabs import dense

__all__ = ["GANFeatureExtractor"]


class GANFeatureExtractor(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    RowGANMixin,
    AdversarialMixin,
    DeepEstimator,
):
    """Features that the critic of a generative adversarial net learned, as a transformer.

    A critic that tells real rows from generated ones learns what real rows are made of; its
    hidden layers describe rows without any labels [1]_. The nets are those of
    :class:`GANSampler`; classes are not looked at.

    Parameters
    ----------
    n_components : int, default=None
        Number of features: of the outputs of all hidden layers (images: pooled to 4 x 4 pixels at
        most, as in [1]_) those with the largest variance over the training rows, or over a
        sample of at most 10,000 of them. None gives the last hidden layer of the critic.
    image_shape : (int, int) or (int, int, int), default=None
        ``(height, width)`` or ``(channels, height, width)`` of the image that a row holds, from
        8 x 8 pixels up. Makes both nets convolutional.
    batch_norm : bool, default=False
        Whether the hidden layers of the generator are normalised over the batch.
    spectral_norm : bool, default=False
        Whether the largest singular value of each of the critic's layers is kept at one [7]_.
        Wants a smaller ``lr``, 2e-4 say.
    feature_scaling : {"auto", "quantile", "range", "standard"} or None, default="auto"
        What the nets see of a row: features with mean zero and variance one (``"standard"``), by
        their ranks (``"quantile"``), or brought to [-1, 1] by one shift and one scale for all
        (``"range"``, behind which the generator ends in a hyperbolic tangent). ``"auto"`` is
        ``"range"`` for images, else ``"standard"``.
    latent_dim : int, default=32
        Number of noise values that a row is made of.
    hidden_layer_sizes : "auto", int or tuple of int, default="auto"
        Widths of the critic's layers, each followed by a residual block; the generator mirrors
        them. With ``image_shape`` the channels of convolutional stages, each of which halves
        height and width. ``"auto"`` is ``(128, 128)``, for images ``(32, 64)``.
    activation : str, default="leaky_relu"
        Function behind each hidden layer: ``"identity"``, ``"relu"``, ``"leaky_relu"``,
        ``"elu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"logistic"``.
    loss : {"wgan-gp", "hinge", "non-saturating", "least-squares"}, default="non-saturating"
        The game of the two nets: difference of mean scores with a penalty between real and
        generated rows [2]_; hinge loss [3]_; cross-entropy [4]_; squared
        distance from one and zero [5]_.
    gradient_penalty : float or "auto", default="auto"
        Weight of the penalty on the critic's slope. For ``"wgan-gp"`` on its distance from one
        between real and generated rows [2]_, for the other losses on half its square at
        real rows (R1, [6]_). ``"auto"`` is 1; 0 leaves it out.
    n_critic : int, default=1
        Steps of the critic for each one of the generator.
    ema_decay : float, default=0.999
        Share of itself that the average of the generator's weights keeps in a step; rows are
        drawn from the average [8]_. Over the first steps it forgets faster. 0 takes the newest
        weights.
    critic_lr : float, default=None
        Step size of the critic.
    betas : (float, float), default=(0.5, 0.9)
        Decay rates of Adam's averages, of both nets.
    max_epochs : int, default=100
        Passes over the rows; as many batches as rows are seen in one.
    batch_size : int, default=128
        Rows per step, drawn with replacement: any number of rows fills any batch.
    lr : float, default=0.001
        Step size of the generator, and of the critic where ``critic_lr`` is None.
    weight_decay : float, default=0.0
        Strength of the pull of all weights to zero, decoupled from the gradient.
    lr_schedule : {"constant", "cosine", "onecycle"}, default="constant"
        Step sizes over training: ``"cosine"`` falls to zero over ``max_epochs``, ``"onecycle"``
        rises first.
    gradient_clip_value : float, default=None
        Largest norm of the gradient of each net's weights together; None leaves it as it is.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted state instead of starting anew. Scaling,
        device and random streams stay those of the first fit.
        A pickle holds the state of the optimizer only with it.
    callbacks : list of skorch.callbacks.Callback, default=None
        Callbacks of skorch, also as ``(name, callback)``. Callbacks of scikit-learn go to
        ``set_callbacks``.
    device : str, torch.device or list of these, default="auto"
        Where to train: ``"auto"`` takes CUDA, then MPS, then the CPU. Of a list each parallel
        worker takes one.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, draws of rows and noise. An int gives the same result on every call.
    verbose : int, default=0
        0 prints nothing, 1 shows a bar over the epochs, 2 a line for each epoch.

    Attributes
    ----------
    n_iter_ : int
        Number of epochs trained.
    loss_curve_ : list of float, length `n_iter_`
        Mean loss of the generator in each epoch. The losses of a game need not fall.
    critic_loss_curve_ : list of float, length `n_iter_`
        Mean loss of the critic in each epoch, without its penalty.
    history_ : list of dict, length `n_iter_`
        skorch's record of each epoch: the losses of both players and their terms, seconds.
    device_ : str
        Device the nets are on.
    module_ : torch.nn.Module
        The nets: ``generator``, its ``average`` and ``critic``.
    net_ : skorch.NeuralNet
        The skorch net that trained them; it holds ``history``.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``, where all are strings.

    Raises
    ------
    DivergenceError
        From ``fit``, if a loss or a weight stops being finite.

    Warns
    -----
    ModeCollapseWarning
        From ``fit``, if the generated rows are far less diverse than the real ones; the criterion
        stands with :class:`skdeep.exceptions.ModeCollapseWarning`.

    See Also
    --------
    GANSampler : Draws new rows with the same nets.
    skdeep.decomposition.Autoencoder : Codes from which rows can be restored.

    References
    ----------
    .. [1] Radford, Metz and Chintala (2016), "Unsupervised Representation Learning with Deep
       Convolutional Generative Adversarial Networks", ICLR.
    .. [2] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", NeurIPS.
    .. [3] Lim and Ye (2017), "Geometric GAN", arXiv:1705.02894.
    .. [4] Goodfellow et al. (2014), "Generative Adversarial Nets", NeurIPS.
    .. [5] Mao et al. (2017), "Least Squares Generative Adversarial Networks", ICCV.
    .. [6] Mescheder, Geiger and Nowozin (2018), "Which Training Methods for GANs do actually
       Converge?", ICML.
    .. [7] Miyato et al. (2018), "Spectral Normalization for Generative Adversarial Networks", ICLR.
    .. [8] Yazici et al. (2019), "The Unusual Effectiveness of Averaging in GAN Training", ICLR.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdeep.generative import GANFeatureExtractor
    >>> X, _ = load_iris(return_X_y=True)
    >>> pipe = make_pipeline(
    ...     GANFeatureExtractor(max_epochs=50, random_state=0), KMeans(3, random_state=0)
    ... )
    >>> pipe.fit_predict(X).shape
    (150,)
    """

    n_components: int | None = param(
        Interval(Integral, 1, None, closed="left"), None, default=None, kw_only=False
    )

    _changeable = ("n_components",)

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Train critic and generator.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to learn the features of.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row is drawn in training, in proportion; a weight of zero leaves the
            row out.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight)

    @own_settings()
    def transform(self, X) -> np.ndarray:
        """Describe rows by what the critic sees in them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to describe.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Features, float32 for float32 rows, else float64; with ``n_components=None`` as many
            as the last hidden layer of the critic has.
        """
        X = self._check_new(X)
        if self._kept is None:
            return self._apply(self.module_.critic.embed, X)
        kept = torch.from_numpy(self._kept).to(self.device_)
        return self._apply(lambda rows: self.module_.critic.pooled(rows)[:, kept], X)

    def _architecture(self, data, scaler):
        n_components = None if self.n_components is None else int(self.n_components)
        return {**super()._architecture(data, scaler), "n_components": n_components}

    @staticmethod
    def _make_module(architecture, streams):
        options = dict(architecture)
        n_components = options.pop("n_components")
        module = RowGANMixin._make_module(options, streams)
        if n_components is not None:
            n_pooled = _count_pooled(module, options["n_features"])
            if n_components > n_pooled:
                raise ValueError(
                    f"n_components must be at most {n_pooled}, the number of features that this "
                    f"critic has; got {n_components}."
                )
        return module

    def _record(self, fit):
        return {**super()._record(fit), "_kept": self._choose_features(fit)}

    def _choose_features(self, fit):
        """Places of the features that vary most over the samples, None for the last layer."""
        if self.n_components is None:
            return None
        rows = sample_rows(fit.data.X, fit.data.weight, numpy_generator(fit.seed))
        weight = None if fit.data.weight is None else fit.data.weight[rows]
        features = fit.apply(fit.module.critic.pooled, dense(fit.data.X, rows))
        variance = np.average(
            np.square(features - np.average(features, axis=0, weights=weight)),
            axis=0,
            weights=weight,
        )
        return np.sort(np.argsort(-variance, kind="stable")[: self.n_components])

    @property
    def _n_features_out(self):
        """Number of features, for ``get_feature_names_out``."""
        return self.module_.critic.out_features if self._kept is None else len(self._kept)

    def __sklearn_tags__(self):
        """Rows in float32 and float64 give features of their own dtype."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@torch.no_grad()
def _count_pooled(module, n_features):
    """Count the features of all layers of the critic."""
    row = next(module.parameters()).new_zeros(1, n_features)
    critic = module.critic.eval()  # training would move the estimates of spectral_norm
    return critic.pooled(row).shape[1]
