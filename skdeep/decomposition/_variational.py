"""Variational autoencoders."""

from numbers import Integral

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from skdeep._preprocessing._linear import LinearScaler
from skdeep._training._inference import CHUNK_ROWS
from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.decomposition._base import AutoencoderMixin, multinomial_loss
from skdeep.nn import losses
from skdeep.nn._coder import CoderShape
from skdeep.nn._variational import VariationalModule, log_likelihood
from skdeep.utils._params import NON_NEGATIVE, POSITIVE, POSITIVE_INTEGER, param
from skdeep.utils._random import numpy_generator, row_noise
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import StrOptions
from skdeep.utils._validation import check_n_samples

# Draws per sample for the expected log-likelihood in score_samples.
_N_SCORE_SAMPLES = 16
# Range that samples must lie in.
_SUPPORTS = {"bernoulli": (0.0, 1.0), "multinomial": (0.0, np.inf)}


class VariationalAutoencoder(AutoencoderMixin, DeepEstimator):
    r"""Variational autoencoder: a latent variable model with a Gaussian prior over the codes.

    Minimizes the negative evidence lower bound [1]_ with a weighted KL divergence [2]_,
    :math:`-E_{q(z|x)} \log p(x|z) + \beta\, KL(q(z|x) \| N(0, I))`, in nats per sample.

    Parameters
    ----------
    n_components : int, default=2
        Number of components, that is, the dimension of the codes.
    likelihood : {"gaussian", "bernoulli", "multinomial"}, default="gaussian"
        Distribution of a sample given its code: Gaussian with the output of the decoder as its
        mean; for features in [0, 1], Bernoulli with the output of the decoder as logits; or, for
        counts, such as words of a text or purchases of a customer, multinomial with the softmax of
        the output as probabilities [4]_. Reconstructions are then these probabilities, and
        likelihoods lack the multinomial coefficient, which does not depend on the model.
    scale : "learned" or float, default="learned"
        Standard deviation of the Gaussian likelihood: a single learned value [3]_, or a fixed one
        in the units of ``X``.
    beta : float, default=1.0
        Weight of the KL divergence in the loss. Values above 1 encourage independent components, at
        the expense of reconstruction [2]_.
    n_samples : int, default=1
        Number of draws from the posterior per sample and training step, over which the
        reconstruction term is averaged.
    hidden_layer_sizes : "auto", int or tuple of int, default="auto"
        Number of units in each hidden layer of the encoder, in a GAN of the critic; the decoder, or
        generator, mirrors them. With ``image_shape``, the number of channels in each convolutional
        stage, every one of which halves height and width. ``"auto"`` is ``(256,)`` and for images
        ``(16, 32)``; for GANs it is ``(128, 128)`` and ``(32, 64)``. For tables, IMSAT and
        FewLabelsClassifier have ``()``; for images with both sides of at least 16 pixels,
        FewLabelsClassifier has ``(16, 32, 64)``. ``()`` makes autoencoders and GANs linear.
    activation : str, default="relu"
        Activation function of the hidden layers: ``"identity"``, ``"relu"``, ``"leaky_relu"``,
        ``"elu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"logistic"``.
    block : {"dense", "residual"}, default="dense"
        ``"residual"`` adds a residual block after each hidden layer or convolutional stage.
    image_shape : (int, int) or (int, int, int), default=None
        ``(height, width)`` or ``(channels, height, width)`` of the image that each sample contains,
        at least 8 x 8 pixels. If given, the net is convolutional.
    dropout : float, default=0.0
        Fraction of the hidden units that are set to zero during training; in a GAN, of those of the
        critic.
    batch_norm : bool, default=False
        Whether to apply batch normalization to the hidden layers; in a GAN, to those of the
        generator.
    feature_scaling : {"global", "standard"} or None, default="global"
        Scaling of the features. ``"global"`` subtracts the mean of each feature and divides all
        features by one number, the square root of their mean variance, so that they keep their
        relative variances, as in PCA. ``"standard"`` divides each feature by its standard
        deviation. With None, or with a loss, likelihood or output activation that restricts the
        range of ``X``, features are not scaled. Results are in the units of ``X``.
    early_stopping : bool, default=False
        Whether to hold out a validation set, stratified by class for classifiers, to stop training
        when its loss stops improving, and to keep the weights of the best epoch.
    validation_fraction : float, default=0.1
        Fraction of the training samples that are held out as the validation set if
        ``early_stopping=True``.
    n_iter_no_change : int, default=10
        Training stops when the loss has not improved by at least ``tol`` for more than this number
        of consecutive epochs; with ``lr_schedule="coslog4"``, this is only checked at the end of a
        cycle. The loss is that of the validation set if ``early_stopping=True``, else the training
        loss, by which AutoencoderImputer never stops.
    tol : float, default=1e-4
        Minimum decrease of the loss that counts as an improvement, in the units of ``loss_curve_``.
    optimizer : {"adamw", "adam", "sgd"} or torch.optim.Optimizer subclass, default="adamw"
        Optimization algorithm. ``"sgd"`` has a Nesterov momentum of 0.9. A class is called as
        ``optimizer(parameters, lr=lr, weight_decay=weight_decay)``.
    precision : {"float32", "bf16-mixed"}, default="float32"
        Floating-point precision of training. ``"bf16-mixed"`` can be faster on recent GPUs.
    compile : bool, default=False
        Whether to train through ``torch.compile``. Only worthwhile for large nets on GPUs.
    max_epochs : int, default=100
        Maximum number of epochs.
    batch_size : int, default=128
        Maximum number of samples per mini-batch. The batches of an epoch differ in size by at most
        one sample. If there are no more samples than that, including held-out ones, each epoch is a
        single batch, and the result depends neither on the order of the samples nor on whether a
        sample appears twice or has twice the weight. In a GAN, batches of this size are drawn with
        replacement instead, whatever the number of samples.
    lr : float, default=1e-3
        Learning rate of the optimizer; with a schedule, its maximum.
    weight_decay : float, default=0.0
        Weight decay, for all weights; AdamW applies it decoupled from the gradient.
    lr_schedule : {"constant", "coslog4", "cosine", "onecycle", "plateau"}, default="constant"
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
    best_epoch_ : int
        Epoch with the lowest validation loss. Only available if ``early_stopping=True``.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch, in nats per sample. A Gaussian density is that of the
        scaled features.
    reconstruction_curve_ : list of float, length `n_iter_`
        Reconstruction term of ``loss_curve_``: the negative expected log-likelihood.
    kl_curve_ : list of float, length `n_iter_`
        KL term of ``loss_curve_``: the divergence times ``beta``.
    scale_ : float or ndarray of shape (`n_features_in_`,)
        Standard deviation of the Gaussian likelihood in the units of ``X``; one per feature if it
        is learned with ``feature_scaling="standard"``. Only available if ``likelihood="gaussian"``.
    validation_loss_curve_ : list of float, length `n_iter_`
        Mean loss of the validation set in each epoch. Only available if ``early_stopping=True``.
    history_ : list of dict, length `n_iter_`
        Record of each epoch in skorch's format: losses, their terms, and seconds.
    device_ : str
        Device that the net is on.
    module_ : torch.nn.Module
        The net itself.
    net_ : skorch.NeuralNet
        The skorch net, which was trained on scaled samples and has the ``history``.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``. Defined only when all of them are strings.

    Raises
    ------
    DivergenceError
        From ``fit`` and ``partial_fit``, if the loss or a weight stops being finite.

    See Also
    --------
    Autoencoder : Autoencoder without a prior, with lower reconstruction error.
    sklearn.decomposition.FactorAnalysis : The linear model with a Gaussian prior.

    References
    ----------
    .. [1] Kingma and Welling (2014), "Auto-Encoding Variational Bayes", ICLR.
    .. [2] Higgins et al. (2017), "beta-VAE: Learning Basic Visual Concepts with a Constrained
       Variational Framework", ICLR.
    .. [3] Rybkin, Daniilidis and Levine (2021), "Simple and Effective VAE Training with
       Calibrated Decoders", ICML.
    .. [4] Liang et al. (2018), "Variational Autoencoders for Collaborative Filtering", WWW.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.decomposition import VariationalAutoencoder
    >>> X, _ = load_iris(return_X_y=True)
    >>> vae = VariationalAutoencoder(2, max_epochs=20, random_state=0).fit(X)
    >>> vae.transform(X).shape
    (150, 2)
    >>> vae.sample(5, random_state=0).shape
    (5, 4)
    """

    likelihood: str = param(StrOptions({"gaussian", *_SUPPORTS}), default="gaussian", data=True)
    scale: str | float = param(StrOptions({"learned"}), POSITIVE, default="learned")
    beta: float = param(NON_NEGATIVE, default=1.0, lifted=True)
    n_samples: int = param(POSITIVE_INTEGER, default=1)

    @own_settings()
    def sample(self, n_samples=1, random_state=None, *, observation_noise=True) -> np.ndarray:
        """Generate random samples from the model.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples to generate.
        random_state : int, RandomState instance or None, default=None
            Determines random number generation. Pass an int for reproducible results across
            multiple function calls.
        observation_noise : bool, default=True
            Whether to draw each sample from its likelihood. If False, the mean of the likelihood
            is returned, which for images is an image without noise. Must be False for the
            multinomial likelihood, which does not say how many counts a sample has.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Generated samples in the units of the training data, float64.
        """
        check_is_fitted(self)
        check_n_samples(n_samples)
        likelihood = self._fitted_architecture["likelihood"]
        if observation_noise and likelihood == "multinomial":
            raise ValueError(
                "observation_noise must be False for likelihood='multinomial', which does not say "
                "how many counts a sample has; got True. Draw counts from the probabilities by "
                "numpy.random.Generator.multinomial."
            )
        rng = numpy_generator(random_state)
        codes = rng.standard_normal((n_samples, self._n_features_out))
        means = self.inverse_transform(codes)
        if not observation_noise:
            return means
        if likelihood == "bernoulli":
            return (rng.random(means.shape) < means).astype(np.float64)
        return means + self.scale_ * rng.standard_normal(means.shape)

    @own_settings()
    def score_samples(self, X, *, n_importance_samples=None) -> np.ndarray:
        """Lower bound of the log-likelihood of each sample.

        The draws from the posterior are seeded by ``random_state`` and by the sample itself: its
        score is the same on every call and does not depend on the other samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to score.
        n_importance_samples : int, default=None
            Draws per sample of the importance-weighted bound [1]_, which grows towards the
            log-likelihood with their number; None gives the evidence lower bound.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Lower bound in nats. For the Gaussian likelihood, of the log-density in the units of
            ``X``.

        References
        ----------
        .. [1] Burda, Grosse and Salakhutdinov (2016), "Importance Weighted Autoencoders", ICLR.
        """
        X = self._check_new(X)
        if n_importance_samples is not None and (
            not isinstance(n_importance_samples, Integral) or n_importance_samples < 1
        ):
            raise ValueError(
                "n_importance_samples must be a positive integer or None; "
                f"got {n_importance_samples!r}."
            )
        n_draws = _N_SCORE_SAMPLES if n_importance_samples is None else n_importance_samples
        module = self.module_
        bound = module.evidence_bound if n_importance_samples is None else module.importance_bound

        def score_rows(x):
            noise = row_noise(x.cpu().numpy(), n_draws, self._n_features_out, self._seed)
            return bound(x, torch.from_numpy(noise).to(x.device)).unsqueeze(1)

        score = self._apply(
            score_rows,
            X,
            chunk_rows=max(16, CHUNK_ROWS // n_draws // 16 * 16),
        )
        score = score.ravel().astype(np.float64)
        if self._scaler.scale is not None:
            score -= np.log(self._scaler.scale).sum()
        return score

    def _check_combination(self):
        """Raise ``ValueError`` for parameters that cannot be combined."""
        if self.likelihood != "gaussian" and self.scale != "learned":
            raise ValueError(
                f"scale must be 'learned', its default, for likelihood={self.likelihood!r}, which "
                f"has no scale; got {self.scale!r}."
            )

    def _fit_scaler(self, data, rng):
        scaling = self.feature_scaling if self.likelihood == "gaussian" else None
        return LinearScaler.fit(data.X, data.weight, rng=rng, scaling=scaling)

    def _architecture(self, data, scaler):
        log_scale = None
        if self.scale != "learned":
            unit = 1.0 if scaler.scale is None else scaler.scale
            log_scale = np.log(self.scale / np.broadcast_to(unit, data.X.shape[1])).tolist()
        return {
            **self._coder_architecture(data),
            "likelihood": self.likelihood,
            "n_samples": int(self.n_samples),
            "log_scale": log_scale,
        }

    @staticmethod
    def _make_module(architecture, streams):
        shape, rest = CoderShape.take_from(architecture)
        return VariationalModule(shape, streams, **rest)

    def _objective(self, phase):
        hyperparameters = {"likelihood": self.likelihood, "beta": float(self.beta)}
        support = None
        if self.likelihood in _SUPPORTS:
            low, high = _SUPPORTS[self.likelihood]
            support = {"low": low, "high": high, "reason": f"likelihood={self.likelihood!r}"}
        return Objective(_loss_terms, hyperparameters, support=support)

    def _record(self, fit):
        record = super()._record(fit)
        history = record["history_"]
        record["reconstruction_curve_"] = [row["train_reconstruction"] for row in history]
        record["kl_curve_"] = [row["train_kl"] for row in history]
        if self.likelihood == "gaussian":
            record["scale_"] = self._likelihood_scale(fit.module, fit.scaler)
        return record

    def _likelihood_scale(self, module, scaler):
        """Return the standard deviation of the Gaussian likelihood, in the units of ``X``."""
        if self.scale != "learned":
            return float(self.scale)
        unit = np.ones(1) if scaler.scale is None else scaler.scale
        scale = module.log_scale.exp().item() * unit
        return scale if scaler.scaling == "standard" else float(scale[0])

    def _reconstruction_loss(self, X, X_hat):
        """Mean squared error in squared units of ``X``; of counts, their negative likelihood."""
        if self._fitted_architecture["likelihood"] == "multinomial":
            return multinomial_loss(X, X_hat)
        return np.square(X - X_hat).mean(axis=1)


def _loss_terms(output, batch, hyperparameters):
    """Losses of each sample by name, (batch,) each."""
    likelihood = hyperparameters["likelihood"]
    fit = log_likelihood(likelihood, batch.x, output.reconstruction, output.log_scale)
    divergence = losses.gaussian_kl_divergence(output.mean, output.log_var)
    return {
        "reconstruction": -fit.mean(dim=-2),  # (n_samples, batch) -> (batch,)
        "kl": hyperparameters["beta"] * divergence,
    }
