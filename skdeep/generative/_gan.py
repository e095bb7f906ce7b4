"""GANs for rows of numbers and for images, as samplers."""

from dataclasses import replace
from numbers import Real

import numpy as np
from sklearn.utils.validation import column_or_1d

from skdeep._preprocessing._distribution import column_bounds
from skdeep.base import DeepEstimator
from skdeep.generative._base import AdversarialMixin
from skdeep.generative._rows import RowGANMixin
from skdeep.generative._sampling import SamplingMixin, drop_weightless
from skdeep.utils._params import param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import Interval

__all__ = ["GANSampler"]


class GANSampler(SamplingMixin, RowGANMixin, AdversarialMixin, DeepEstimator):
    """Generative adversarial net: draws new rows or images, and balances classes with them.

    A generator learns to make rows that a critic cannot tell from real ones [1]_. Where
    ``fit`` gets classes, rows are generated class by class: the generator reads the class beside
    its noise, and the critic projects it [2]_. Classes are drawn in training in proportion to
    the logarithm of their frequency, so that rare ones are seen often.

    Parameters
    ----------
    sampling_strategy : str, float, dict or callable, default="auto"
        Which classes ``fit_resample`` adds rows to, with imbalanced-learn's meaning.
        ``"minority"``: the smallest class; ``"not minority"``, ``"not majority"``, ``"all"``:
        all others or all, up to the size of the largest; ``"auto"`` is ``"not majority"``. A
        float is the wanted ratio of the smaller class to the larger one, of two; a dict gives
        the wanted number of rows by class; a callable gets ``y`` and returns such a dict. ``fit``
        and ``sample`` do not look at it.
    style_weight : float, default=0.0
        Weight of a style loss in the loss of the generator: the squared difference of the Gram
        matrices of the critic's layers between real and generated rows [8]_.
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
        generated rows [3]_; hinge loss [4]_; cross-entropy [1]_; squared
        distance from one and zero [5]_.
    gradient_penalty : float or "auto", default="auto"
        Weight of the penalty on the critic's slope. For ``"wgan-gp"`` on its distance from one
        between real and generated rows [3]_, for the other losses on half its square at
        real rows (R1, [6]_). ``"auto"`` is 1; 0 leaves it out.
    n_critic : int, default=1
        Steps of the critic for each one of the generator.
    ema_decay : float, default=0.999
        Share of itself that the average of the generator's weights keeps in a step; rows are
        drawn from the average [9]_. Over the first steps it forgets faster. 0 takes the newest
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
        Whether ``fit`` goes on from the fitted state instead of starting anew. Scaling, classes,
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
    classes_ : ndarray of shape (n_classes,)
        Labels; only where ``fit`` got classes.
    class_shares_ : ndarray of shape (n_classes,)
        Share of each class in the weights of the training rows; only with classes.
    sampling_strategy_ : dict
        Number of rows that ``fit_resample`` generated of each class; only behind it.
    n_iter_ : int
        Number of epochs trained.
    loss_curve_ : list of float, length `n_iter_`
        Mean loss of the generator in each epoch, without those of style and conditions, which
        ``history_`` has. The losses of a game need not fall.
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
    TabularGANSampler : For tables with categories, dates and missing values.
    GANFeatureExtractor : What the critic learned to look at, as a transformer.
    skdeep.decomposition.VariationalAutoencoder : Draws new rows as well.
    sklearn.mixture.GaussianMixture : Density with a ``sample`` of its own.

    References
    ----------
    .. [1] Goodfellow et al. (2014), "Generative Adversarial Nets", NeurIPS.
    .. [2] Miyato and Koyama (2018), "cGANs with Projection Discriminator", ICLR.
    .. [3] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", NeurIPS.
    .. [4] Lim and Ye (2017), "Geometric GAN", arXiv:1705.02894.
    .. [5] Mao et al. (2017), "Least Squares Generative Adversarial Networks", ICCV.
    .. [6] Mescheder, Geiger and Nowozin (2018), "Which Training Methods for GANs do actually
       Converge?", ICML.
    .. [7] Miyato et al. (2018), "Spectral Normalization for Generative Adversarial Networks", ICLR.
    .. [8] Gatys, Ecker and Bethge (2016), "Image Style Transfer Using Convolutional Neural
       Networks", CVPR.
    .. [9] Yazici et al. (2019), "The Unusual Effectiveness of Averaging in GAN Training", ICLR.

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

    style_weight: float = param(Interval(Real, 0, None, closed="left"), default=0.0)

    @own_settings()
    def score_samples(self, X, y=None) -> np.ndarray:
        """Score each row by the critic; the higher, the more real it looks to it.

        The scores are neither normalised nor likelihoods, and only those of one fit can be
        compared.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.
        y : array-like of shape (n_samples,), default=None
            Class of each row, for a critic that was fitted with classes: how real the row looks
            as one of its class. None gives the mean over classes by their shares in training.

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
                f"y must have a class for each row; got {len(codes)} for {X.shape[0]}."
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
        game.style_weight = float(self.style_weight)
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
