"""Features learned by the critic of a generative adversarial net."""

from typing import Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skdeep._preprocessing._distribution import sample_rows
from skdeep.base import DeepEstimator
from skdeep.generative._base import AdversarialMixin
from skdeep.generative._rows import RowGANMixin
from skdeep.utils._params import POSITIVE_INTEGER, param
from skdeep.utils._random import numpy_generator
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import fit_context, with_callbacks
from skdeep.utils._slabs import dense


class GANFeatureExtractor(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    RowGANMixin,
    AdversarialMixin,
    DeepEstimator,
):
    """Feature extraction with the critic of a generative adversarial net.

    The critic learns to distinguish real from generated samples. Its hidden layers are features of
    the samples that are learned without labels [8]_. The nets are those of :class:`GANSampler`
    without classes.

    Parameters
    ----------
    n_components : int, default=None
        Number of features: those of all hidden layers (for images, pooled to at most 4 x 4 pixels,
        as in [8]_) that have the largest variance over the training samples, or over a random
        subset of 10,000 of them. None uses the last hidden layer of the critic.
    image_shape : (int, int) or (int, int, int), default=None
        ``(height, width)`` or ``(channels, height, width)`` of the image that each sample contains,
        at least 8 x 8 pixels. If given, the net is convolutional.
    batch_norm : bool, default=False
        Whether to apply batch normalization to the hidden layers; in a GAN, to those of the
        generator.
    spectral_norm : bool, default=False
        Whether to apply spectral normalization to the layers of the critic, which keeps their
        largest singular value at one [7]_. Works best with a smaller ``lr``, such as 2e-4.
    feature_scaling : {"auto", "quantile", "range", "standard"} or None, default="auto"
        Scaling of the numerical features: ``"standard"`` to zero mean and unit variance;
        ``"quantile"`` to a standard normal distribution, by ranks; or all features by one common
        factor, which suits images, see Notes. None leaves them unscaled. ``"auto"`` depends on the
        data, see Notes.
    latent_dim : int, default=32
        Dimension of the noise vectors, the input of the generator.
    hidden_layer_sizes : "auto", int or tuple of int, default="auto"
        Number of units in each hidden layer of the encoder, in a GAN of the critic; the decoder, or
        generator, mirrors them. With ``image_shape``, the number of channels in each convolutional
        stage, every one of which halves height and width. ``"auto"`` is ``(256,)`` and for images
        ``(16, 32)``; for GANs it is ``(128, 128)`` and ``(32, 64)``. For tables, IMSAT and
        FewLabelsClassifier have ``()``; for images with both sides of at least 16 pixels,
        FewLabelsClassifier has ``(16, 32, 64)``. ``()`` makes autoencoders and GANs linear.
    activation : str, default="leaky_relu"
        Activation function of the hidden layers: ``"identity"``, ``"relu"``, ``"leaky_relu"``,
        ``"elu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"logistic"``.
    loss : {"wgan-gp", "hinge", "non-saturating", "least-squares"}, default="non-saturating"
        Adversarial loss: Wasserstein distance with a gradient penalty [2]_, hinge loss [3]_,
        cross-entropy [1]_ or least squares [4]_.
    gradient_penalty : float or "auto", default="auto"
        Weight of the gradient penalty of the critic. ``"wgan-gp"`` penalizes how far the norm of
        the gradient is from one, between real and generated samples [2]_; the other losses penalize
        half of its square, at real samples (R1, [5]_). ``"auto"`` is 1, but 10 in
        :class:`TabularGANSampler` for ``"wgan-gp"``. 0 disables it.
    n_critic : int, default=1
        Number of updates of the critic per update of the generator.
    ema_decay : float, default=0.999
        Decay rate of the exponential moving average of the generator's weights, from which samples
        are drawn [6]_. The rate is lower over the first updates. 0 uses the latest weights.
    critic_lr : float, default=None
        Learning rate of the critic. None uses ``lr``, the learning rate of the generator, for both.
    betas : (float, float), default=(0.5, 0.9)
        Decay rates of AdamW's moment estimates, for generator and critic.
    max_epochs : int, default=100
        Maximum number of epochs.
    batch_size : int, default=128
        Maximum number of samples per mini-batch. The batches of an epoch differ in size by at most
        one sample. If there are no more samples than that, including held-out ones, each epoch is a
        single batch, and the result depends neither on the order of the samples nor on whether a
        sample appears twice or has twice the weight. In a GAN, batches of this size are drawn with
        replacement instead, whatever the number of samples.
    lr : float, default=0.001
        Learning rate of the optimizer; with a schedule, its maximum.
    weight_decay : float, default=0.0
        Weight decay, for all weights; AdamW applies it decoupled from the gradient.
    lr_schedule : {"constant", "cosine", "onecycle"}, default="constant"
        Learning rate schedule. ``"cosine"`` decreases the learning rate to zero over
        ``max_epochs``; ``"onecycle"`` increases it first; ``"coslog4"`` does so in four cycles,
        each twice as long as the one before; ``"plateau"`` divides it by five whenever the loss has
        not improved for ``n_iter_no_change // 2`` epochs. GANs have neither of the last two.
        ``partial_fit`` always uses a constant learning rate.
    gradient_clip_value : float, default=None
        Maximum norm of the gradient with respect to all weights of a net. None disables gradient
        clipping.
    warm_start : bool, default=False
        Whether ``fit`` continues from the fitted state instead of training from scratch. Feature
        scaling, categories, classes, target scaling, device and random number generators are kept
        from the first fit. The state of the optimizer is pickled only if ``warm_start=True`` or,
        for estimators that have it, after ``partial_fit``.
    callbacks : list of skorch.callbacks.Callback, default=None
        Callbacks of skorch, or tuples ``(name, callback)``. skorch's ``EarlyStopping``, and any
        callback that calls ``net.request_stop()``, ends training after the current epoch. Callbacks
        that predict, such as ``EpochScoring``, are not supported, as the net is trained on batches
        of scaled samples. Pass scikit-learn callbacks to ``set_callbacks``.
    checkpoint : str or path-like, default=None
        Folder for checkpoints of ``fit``. If the process is killed, the same call continues from
        the last one, see :doc:`/guide/saving`.
    checkpoint_every : int, default=5
        Number of epochs between checkpoints.
    device : str, torch.device or list of these, default="auto"
        Device to train on. ``"auto"`` uses CUDA if available, else MPS, else the CPU. If a list,
        each parallel worker uses one of its devices.
    random_state : int, RandomState instance or None, default=None
        Determines random number generation for weight initialization, the validation split, batch
        sampling, dropout, noise and augmentation. Pass an int for reproducible results across
        multiple function calls.
    verbose : int, default=0
        0 prints nothing, 1 shows a progress bar over the epochs, 2 prints a line for each epoch.

    Attributes
    ----------
    n_iter_ : int
        Number of epochs trained.
    loss_curve_ : list of float, length `n_iter_`
        Mean loss of the generator in each epoch. The losses of a GAN need not decrease.
    critic_loss_curve_ : list of float, length `n_iter_`
        Mean loss of the critic in each epoch, without the gradient penalty.
    history_ : list of dict, length `n_iter_`
        Record of each epoch in skorch's format: losses of generator and critic, their terms, and
        seconds.
    device_ : str
        Device that the nets are on.
    module_ : torch.nn.Module
        The nets: ``generator``, its moving ``average`` and ``critic``.
    net_ : skorch.NeuralNet
        The skorch net that trained them. It has the ``history``.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``. Defined only when all of them are strings.

    Raises
    ------
    DivergenceError
        From ``fit``, if a loss or a weight stops being finite.

    Warns
    -----
    ModeCollapseWarning
        From ``fit``, if the generated samples are far less diverse than the real ones. See
        :class:`skdeep.exceptions.ModeCollapseWarning` for the criterion.

    See Also
    --------
    GANSampler : Generates new samples with the same nets.
    skdeep.decomposition.Autoencoder : Dimensionality reduction with an inverse transform.

    Notes
    -----
    ``feature_scaling="auto"`` is ``"range"`` for images, else ``"standard"``. ``"range"`` shifts
    and scales all features alike, so that they lie in [-1, 1], and the generator then ends in a
    hyperbolic tangent.

    Both nets have a residual block after each hidden layer. An epoch consists of as many batches
    as are needed to draw at least as many samples as the training set has.

    References
    ----------
    .. [1] Goodfellow et al. (2014), "Generative Adversarial Nets", NeurIPS.
    .. [2] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", NeurIPS.
    .. [3] Lim and Ye (2017), "Geometric GAN", arXiv:1705.02894.
    .. [4] Mao et al. (2017), "Least Squares Generative Adversarial Networks", ICCV.
    .. [5] Mescheder, Geiger and Nowozin (2018), "Which Training Methods for GANs do actually
       Converge?", ICML.
    .. [6] Yazici et al. (2019), "The Unusual Effectiveness of Averaging in GAN Training", ICLR.
    .. [7] Miyato et al. (2018), "Spectral Normalization for Generative Adversarial Networks", ICLR.
    .. [8] Radford, Metz and Chintala (2016), "Unsupervised Representation Learning with Deep
       Convolutional Generative Adversarial Networks", ICLR.

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

    n_components: int | None = param(POSITIVE_INTEGER, None, default=None, kw_only=False)

    _changeable = ("n_components",)

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Train generator and critic.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights: each sample is drawn in proportion to its weight during training.
            Samples with a weight of zero are ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight)

    @own_settings()
    def transform(self, X) -> np.ndarray:
        """Extract the features that the critic has learned.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to transform.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Features: float32 if ``X`` is float32, else float64. With ``n_components=None`` they
            are as many as the units of the critic's last hidden layer.
        """
        return self._apply(self._features, self._check_new(X))

    def _features(self, rows):
        """Extract the features of scaled samples, (batch, n_features) -> (batch, n_components)."""
        critic = self.module_.critic
        if self._kept is None:
            return critic.trunk(rows)
        return critic.pooled(rows)[:, torch.tensor(self._kept, device=rows.device)]

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
        """Find the features with the largest variance; None for the last layer."""
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
        """Features have the dtype of the samples, float32 or float64."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@torch.no_grad()
def _count_pooled(module, n_features):
    """Count the features of all layers of the critic."""
    row = next(module.parameters()).new_zeros(1, n_features)
    critic = module.critic.eval()  # training would update the estimates of spectral_norm
    return critic.pooled(row).shape[1]
