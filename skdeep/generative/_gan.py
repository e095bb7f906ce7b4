"""GANs for numerical features and for images, as samplers."""

from dataclasses import replace

import numpy as np
from sklearn.utils.validation import column_or_1d

from skdeep._preprocessing._distribution import column_bounds
from skdeep.base import DeepEstimator
from skdeep.generative._base import AdversarialMixin
from skdeep.generative._rows import RowGANMixin
from skdeep.generative._sampling import SamplingMixin, drop_weightless
from skdeep.utils._params import NON_NEGATIVE, param
from skdeep.utils._settings import own_settings


class GANSampler(SamplingMixin, RowGANMixin, AdversarialMixin, DeepEstimator):
    """Generative adversarial net: generates samples or images, and oversamples classes.

    A generator is trained to generate samples that a critic cannot distinguish from real ones
    [1]_. If ``fit`` is given classes, samples are generated conditional on their class, which is an
    input of the generator besides the noise, and enters the critic by projection [8]_. During
    training, classes are drawn in proportion to the logarithm of their frequency, so that
    rare classes are seen often.

    Parameters
    ----------
    sampling_strategy : str, float, dict or callable, default="auto"
        Which classes ``fit_resample`` oversamples, as in imbalanced-learn. ``"minority"``: the
        smallest class; ``"not minority"``: all but the smallest; ``"not majority"``: all but the
        largest; ``"all"``: all classes. ``"auto"`` is ``"not majority"``. Each of them is brought
        to the size of the largest class. A float is the desired ratio of the minority to the
        majority class, for two classes only. A dict contains the desired number of samples of each
        class. A callable takes ``y`` and returns such a dict. Not used by ``fit`` and ``sample``.
    style_weight : float, default=0.0
        Weight of a style loss in the loss of the generator: the squared difference between the Gram
        matrices of the critic's layers for real and for generated samples [9]_.
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
    classes_ : ndarray of shape (n_classes,)
        Class labels. Only available if ``fit`` was given classes.
    class_shares_ : ndarray of shape (n_classes,)
        Fraction of each class in the training samples, by weight. Only available if ``fit`` was
        given classes.
    sampling_strategy_ : dict
        Number of samples that ``fit_resample`` generated for each class. Only available after
        ``fit_resample``.
    n_iter_ : int
        Number of epochs trained.
    loss_curve_ : list of float, length `n_iter_`
        Mean loss of the generator in each epoch, without the style term, which is in ``history_``.
        The losses of a GAN need not decrease.
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
    TabularGANSampler : GAN for tables with categorical features, dates and missing values.
    GANFeatureExtractor : The features that the critic has learned, as a transformer.
    skdeep.decomposition.VariationalAutoencoder : Generative model with an encoder.
    sklearn.mixture.GaussianMixture : Density estimation with a method ``sample``.

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
    .. [8] Miyato and Koyama (2018), "cGANs with Projection Discriminator", ICLR.
    .. [9] Gatys, Ecker and Bethge (2016), "Image Style Transfer Using Convolutional Neural
       Networks", CVPR.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.generative import GANSampler
    >>> X, y = load_iris(return_X_y=True)
    >>> gan = GANSampler(max_epochs=50, random_state=0).fit(X, y)
    >>> X_new, y_new = gan.sample(5, y=2, random_state=0)
    >>> X_new.shape, y_new
    ((5, 4), array([2, 2, 2, 2, 2]))
    """

    style_weight: float = param(NON_NEGATIVE, default=0.0)

    @own_settings()
    def score_samples(self, X, y=None) -> np.ndarray:
        """Score each sample with the critic; higher is more realistic.

        The scores are neither normalized nor likelihoods. Scores of different fits cannot be
        compared.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to score.
        y : array-like of shape (n_samples,), default=None
            Classes, if the critic was fitted with classes: each sample is scored as a sample of its
            class. None averages over the classes by their frequency in the training data.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Output of the critic.
        """
        X = self._check_new(X)
        if not hasattr(self, "classes_"):
            if y is not None:
                raise ValueError(
                    "y must be None for a critic that was fitted without classes; got classes."
                )
            return self._score(X)
        if y is None:
            return self._score(X, self.class_shares_)
        codes = self._codes_of(column_or_1d(y))
        if len(codes) != X.shape[0]:
            raise ValueError(
                f"y must have a class for each sample; got {len(codes)} for {X.shape[0]}."
            )
        score = np.empty(X.shape[0])
        for code in np.unique(codes):
            rows = codes == code
            score[rows] = self._score(X[rows], np.eye(len(self.classes_))[code])
        return score

    def _check(self, X, y=None, sample_weight=None, *, reset):
        X, y, sample_weight = drop_weightless(X, y, sample_weight)
        data = super()._check(X, None, sample_weight, reset=reset)
        codes, attributes = self._encode_classes(y, data.X, reset=reset)
        conditions = None if codes is None else codes.reshape(-1, 1)
        return replace(data, y=conditions, attributes=attributes)

    def _objective(self, phase):
        game = super()._objective(phase)
        game.hyperparameters["style_weight"] = float(self.style_weight)
        return game

    def _record(self, fit):
        record = super()._record(fit)
        bounds = self._bounds if fit.is_resumed else column_bounds(fit.data.X, fit.data.weight)
        return {**record, "_bounds": bounds}

    def _draw(self, codes, n_samples, rng):
        rows = self._scaler.inverse(self._generate(codes, n_samples, rng))
        return rows.clip(*self._bounds)

    def _as_given(self, rows):
        return rows
