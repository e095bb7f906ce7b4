"""Variational autoencoders: codes with a distribution, and new rows from it."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from skdeep._preprocessing._linear import LinearScaler
from skdeep._training._inference import CHUNK_ROWS
from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.decomposition._base import CoderMixin
from skdeep.nn import losses
from skdeep.nn._coder import CoderShape
from skdeep.nn._variational import VariationalModule, log_likelihood
from skdeep.utils._params import param
from skdeep.utils._random import numpy_generator, row_noise
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import Interval, StrOptions
from skdeep.utils._validation import check_n_samples

__all__ = ["VariationalAutoencoder"]

# Draws per row for the expected log-likelihood in score_samples.
_N_SCORE_SAMPLES = 16


class VariationalAutoencoder(CoderMixin, DeepEstimator):
    r"""Variational autoencoder: a latent-variable model of rows, trained by its evidence bound.

    Minimises the negative evidence lower bound [1]_ with a weighted divergence [2]_,
    :math:`-E_{q(z|x)} \log p(x|z) + \beta\, KL(q(z|x) \| N(0, I))`, in nats per row.

    Parameters
    ----------
    n_components : int, default=2
        Width of the codes.
    likelihood : {"gaussian", "bernoulli"}, default="gaussian"
        What a row is, given its code: Gaussian around the decoder's output, or, for features in
        [0, 1], Bernoulli with the decoder's output as logits.
    scale : "learned" or float, default="learned"
        Standard deviation of the Gaussian likelihood: one number that is trained [3]_, or a
        fixed one in units of ``X``.
    beta : float, default=1.0
        Weight of the divergence in the loss. More than 1 asks for codes that are independent of
        one another, at the price of the reconstruction [2]_.
    n_samples : int, default=1
        Draws from the posterior per row and step, over which the reconstruction is averaged.
    hidden_layer_sizes : "auto", int or tuple of int, default="auto"
        Widths of the encoder's layers; the decoder mirrors them. With ``image_shape`` the
        channels of convolutional stages, each of which halves height and width. ``"auto"`` is
        ``(256,)``, for images ``(16, 32)``; ``()`` is a linear map.
    activation : str, default="relu"
        Function behind each hidden layer: ``"identity"``, ``"relu"``, ``"leaky_relu"``,
        ``"elu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"logistic"``.
    block : {"dense", "residual"}, default="dense"
        ``"residual"`` puts a residual block behind each hidden layer or stage.
    image_shape : (int, int) or (int, int, int), default=None
        ``(height, width)`` or ``(channels, height, width)`` of the image that a row holds, from
        8 x 8 pixels up. Makes encoder and decoder convolutional.
    dropout : float, default=0.0
        Share of hidden entries that training zeroes.
    batch_norm : bool, default=False
        Whether hidden layers are normalised over the batch.
    feature_scaling : {"global", "standard"} or None, default="global"
        What the net sees of a row. ``"global"`` takes off each feature's mean and divides all by
        one number, the root of their mean variance, so that features keep their relative
        variances as in PCA. ``"standard"`` divides each by its own standard deviation. Results
        come back in the units of ``X``.
        ``likelihood="bernoulli"`` takes rows as they are.
    optimizer : {"adamw", "adam", "sgd"} or torch.optim.Optimizer subclass, default="adamw"
        How gradients become steps. ``"sgd"`` has Nesterov momentum of 0.9. A class is built as
        ``optimizer(parameters, lr=lr, weight_decay=weight_decay)``.
    early_stopping : bool, default=False
        Whether to hold rows out, to stop when their loss stops falling, and to take the weights
        of the best epoch.
    validation_fraction : float, default=0.1
        Share of rows held out for ``early_stopping``.
    n_iter_no_change : int, default=10
        Training stops when the loss (of the rows held out with ``early_stopping``) has not
        fallen by ``tol`` for more than so many epochs in a row.
    tol : float, default=1e-4
        Fall of the loss that counts as one, in units of ``loss_curve_``.
    precision : {"float32", "bf16-mixed"}, default="float32"
        Arithmetic of training. ``"bf16-mixed"`` pays on recent GPUs.
    compile : bool, default=False
        Whether to train through ``torch.compile``. Pays for large nets on GPUs only.
    max_epochs : int, default=100
        Most passes over the rows.
    batch_size : int, default=128
        Rows per step. With as many rows or fewer, training sees them all at once, and then
        neither their order nor the split of a weight over equal rows matters.
    lr : float, default=1e-3
        Step size of the optimiser, per batch; the largest one of a schedule.
    weight_decay : float, default=0.0
        Strength of the pull of all weights to zero, decoupled from the gradient for ``"adamw"``.
    lr_schedule : {"constant", "cosine", "onecycle", "plateau"}, default="constant"
        Step size over training: ``"cosine"`` falls to zero over ``max_epochs``, ``"onecycle"``
        rises first, ``"plateau"`` divides by five when the loss stalls for
        ``n_iter_no_change // 2`` epochs. ``partial_fit`` keeps it constant.
    gradient_clip_value : float, default=None
        Largest norm of the gradient of all weights together; None leaves it as it is.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted state instead of starting anew. Scaling, device
        and random streams stay those of the first fit.
        A pickle holds the state of the optimizer only with it, or after ``partial_fit``.
    callbacks : list of skorch.callbacks.Callback, default=None
        Callbacks of skorch, also as ``(name, callback)``. Its ``EarlyStopping``, and any that
        calls ``net.request_stop()``, ends training behind the present epoch. The net sees
        scaled rows in batches of its own: callbacks that predict, such as ``EpochScoring``, do
        not work here. Callbacks of scikit-learn go to ``set_callbacks``.
    device : str, torch.device or list of these, default="auto"
        Where to train: ``"auto"`` takes CUDA, then MPS, then the CPU. Of a list each parallel
        worker takes one.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, split, shuffling, dropout and noise. An int gives the same result on
        every call.
    verbose : int, default=0
        0 prints nothing, 1 shows a bar over the epochs, 2 a line for each epoch.

    Attributes
    ----------
    n_iter_ : int
        Number of epochs trained.
    best_epoch_ : int
        Epoch with the lowest loss of the rows held out; only with ``early_stopping``.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch in nats per row; a Gaussian's density is that of the
        scaled features.
    reconstruction_curve_ : list of float, length `n_iter_`
        Part of ``loss_curve_`` that is the negative expected log-likelihood.
    kl_curve_ : list of float, length `n_iter_`
        Part of ``loss_curve_`` that is the divergence, times ``beta``.
    scale_ : float or ndarray of shape (`n_features_in_`,)
        Standard deviation of the Gaussian likelihood in units of ``X``, one per feature where it
        is learned with ``feature_scaling="standard"``; only for ``likelihood="gaussian"``.
    validation_loss_curve_ : list of float, length `n_iter_`
        Mean loss of the rows held out; only with ``early_stopping``.
    history_ : list of dict, length `n_iter_`
        skorch's record of each epoch: losses, their terms, seconds.
    device_ : str
        Device the net is on.
    module_ : torch.nn.Module
        The net itself.
    net_ : skorch.NeuralNet
        The skorch net that trained it, on scaled rows; it holds ``history``.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``, where all are strings.

    Raises
    ------
    DivergenceError
        From ``fit`` and ``partial_fit``, if the loss or a weight stops being finite.

    See Also
    --------
    Autoencoder : Codes without a distribution, with lower reconstruction error.
    sklearn.decomposition.FactorAnalysis : The linear model with Gaussian codes.

    References
    ----------
    .. [1] Kingma and Welling (2014), "Auto-Encoding Variational Bayes", ICLR.
    .. [2] Higgins et al. (2017), "beta-VAE: Learning Basic Visual Concepts with a Constrained
       Variational Framework", ICLR.
    .. [3] Rybkin, Daniilidis and Levine (2021), "Simple and Effective VAE Training with
       Calibrated Decoders", ICML.

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

    likelihood: str = param(StrOptions({"bernoulli", "gaussian"}), default="gaussian", data=True)
    scale: str | float = param(
        StrOptions({"learned"}), Interval(Real, 0, None, closed="neither"), default="learned"
    )
    beta: float = param(Interval(Real, 0, None, closed="left"), default=1.0, lifted=True)
    n_samples: int = param(Interval(Integral, 1, None, closed="left"), default=1)

    @own_settings()
    def sample(self, n_samples=1, random_state=None, *, observation_noise=True) -> np.ndarray:
        """Draw new rows from the model.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws; None draws anew on every call.
        observation_noise : bool, default=True
            Whether to draw each row from its likelihood; else its mean is returned, which for
            images is the clean picture.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            New rows in the units of the training data, float64.
        """
        check_is_fitted(self)
        check_n_samples(n_samples)
        rng = numpy_generator(random_state)
        codes = rng.standard_normal((n_samples, self._n_features_out))
        means = self.inverse_transform(codes)
        if not observation_noise:
            return means
        if self._fitted_architecture["likelihood"] == "bernoulli":
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
            Bound in nats; a Gaussian's is a density in the units of ``X``.

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
        """Raise ``ValueError`` for parameters that do not go together."""
        if self.likelihood == "bernoulli" and self.scale != "learned":
            raise ValueError(
                "scale must be 'learned', its default, for likelihood='bernoulli', which has "
                f"none; got {self.scale!r}."
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
        if self.likelihood == "bernoulli":
            support = {"low": 0.0, "high": 1.0, "reason": "likelihood='bernoulli'"}
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
        """Read the standard deviation of the Gaussian likelihood, in units of ``X``."""
        if self.scale != "learned":
            return float(self.scale)
        unit = np.ones(1) if scaler.scale is None else scaler.scale
        scale = module.log_scale.exp().item() * unit
        return scale if scaler.scaling == "standard" else float(scale[0])

    def _reconstruction_loss(self, X, X_hat):
        """Mean squared error of each row in squared units of ``X``."""
        return np.square(X - X_hat).mean(axis=1)


def _loss_terms(output, batch, hyperparameters):
    """Losses of each sample by name, (batch,) each."""
    fit = log_likelihood(batch.x, output.reconstruction, output.log_scale)
    divergence = losses.gaussian_kl_divergence(output.mean, output.log_var)
    return {
        "reconstruction": -fit.mean(dim=-2),  # (n_samples, batch) -> (batch,)
        "kl": hyperparameters["beta"] * divergence,
    }
