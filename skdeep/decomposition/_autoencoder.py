"""Autoencoders: rows to a few numbers and back."""

from numbers import Real

import numpy as np
from scipy.special import xlog1py, xlogy
from sklearn.utils.metaestimators import available_if

from skdeep._preprocessing._linear import LinearScaler
from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.decomposition._base import CoderMixin
from skdeep.nn import losses
from skdeep.nn._activation import OUTPUT_ACTIVATIONS
from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._coder import CoderShape
from skdeep.nn._dropout import CORRUPTIONS
from skdeep.utils._params import param
from skdeep.utils._sklearn import Interval, StrOptions

__all__ = ["Autoencoder"]

_LOSSES = {
    "mse": losses.squared_error,
    "huber": losses.huber,
    "bce": losses.binary_cross_entropy,
    "multinomial": losses.multinomial,
}
# Losses that are computed on logits, and the output activation that belongs to each.
_LOGIT_LOSSES = {"bce": "logistic", "multinomial": "softmax"}
# Range that samples must lie in.
_SUPPORTS = {"bce": (0.0, 1.0), "multinomial": (0.0, np.inf)}


def _decodes_alone(estimator):
    """Whether codes are enough to decode; with a global skip they are not."""
    if estimator.global_skip:
        raise AttributeError(
            "inverse_transform needs global_skip=False: with the skip a reconstruction is the "
            "input plus a correction, and codes alone do not have the input. Use reconstruct(X)."
        )
    return True


class Autoencoder(CoderMixin, DeepEstimator):
    """Autoencoder: a net that squeezes rows through a few numbers and restores them.

    Minimises the mean loss between a row and its reconstruction, plus the penalties that are asked
    for. Without hidden layers it spans the same subspace as PCA; with them it bends it [3]_.

    Parameters
    ----------
    n_components : int, default=2
        Width of the codes.
    output_activation : str, default="auto"
        Function behind the decoder: ``"identity"``, ``"logistic"``, ``"relu"``, ``"softmax"``,
        ``"softplus"`` or ``"tanh"``. ``"auto"`` is the one that belongs to the loss.
    loss : {"mse", "huber", "bce", "multinomial"}, default="mse"
        Mean over features of: squared error; Huber loss (quadratic up to a distance of one);
        binary cross-entropy, for features in [0, 1]; negative multinomial log-likelihood, for
        counts [4]_, whose reconstructions are probabilities.
    noise : float, default=0.0
        Corruption of the rows that the encoder sees in training, while the loss asks for the
        clean ones [1]_: standard deviation of Gaussian noise in units of the scaled features,
        or share of masked entries.
    noise_kind : {"gaussian", "masking"}, default="gaussian"
        ``"masking"`` sets entries to zero, which is a feature's mean where features are scaled.
    sparsity : float, default=0.0
        Weight of the mean absolute value of the codes in the loss.
    contraction : float, default=0.0
        Weight of the squared norm of the encoder's Jacobian in the loss [2]_. Costs
        ``n_components`` more backward passes.
    global_skip : bool, default=False
        Whether the decoder gives a correction to its input instead of the row itself. Needs
        ``noise``: without it, no correction at all would be the trivial optimum.
    tied_weights : bool, default=False
        Whether the decoder's weights are the encoder's, transposed [1]_. Dense blocks only.
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
        Losses and output activations that fix the range of ``X`` take rows as they are.
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
        Mean training loss of each epoch, per feature, in units of the scaled features: for
        ``loss="mse"`` 1 is what the mean row would get as a reconstruction.
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
    VariationalAutoencoder : Codes with a distribution, from which new rows can be drawn.
    sklearn.decomposition.PCA : The best linear map.

    References
    ----------
    .. [1] Vincent et al. (2008), "Extracting and Composing Robust Features with Denoising
       Autoencoders", ICML.
    .. [2] Rifai et al. (2011), "Contractive Auto-Encoders: Explicit Invariance During Feature
       Extraction", ICML.
    .. [3] Hinton and Salakhutdinov (2006), "Reducing the Dimensionality of Data with Neural
       Networks", Science 313.
    .. [4] Liang et al. (2018), "Variational Autoencoders for Collaborative Filtering", WWW.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.decomposition import Autoencoder
    >>> X, _ = load_iris(return_X_y=True)
    >>> ae = Autoencoder(2, max_epochs=20, random_state=0).fit(X)
    >>> ae.transform(X).shape
    (150, 2)
    >>> ae.inverse_transform(ae.transform(X)).shape
    (150, 4)
    """

    output_activation: str = param(
        StrOptions({"auto", *OUTPUT_ACTIVATIONS}), default="auto", data=True
    )
    loss: str = param(StrOptions(set(_LOSSES)), default="mse", data=True)
    noise: float = param(Interval(Real, 0, None, closed="left"), default=0.0, lifted=True)
    noise_kind: str = param(StrOptions(set(CORRUPTIONS)), default="gaussian")
    sparsity: float = param(Interval(Real, 0, None, closed="left"), default=0.0, lifted=True)
    contraction: float = param(Interval(Real, 0, None, closed="left"), default=0.0, lifted=True)
    global_skip: bool = param("boolean", default=False)
    tied_weights: bool = param("boolean", default=False)

    _changeable = ("noise", "noise_kind", "contractive")

    @available_if(_decodes_alone)
    def inverse_transform(self, X) -> np.ndarray:
        """Decode codes; not available with ``global_skip``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as ``transform`` gives them.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Rows in the units of the training data.
        """
        return super().inverse_transform(X)

    def _check_combination(self):
        """Raise ``ValueError`` for parameters that do not go together."""
        if self.global_skip and not self.noise:
            raise ValueError(
                "global_skip=True needs noise > 0: without noise, input plus zero is the trivial "
                f"optimum and the codes stay empty; got noise={self.noise!r}."
            )
        if self.noise_kind == "masking" and self.noise >= 1:
            raise ValueError(
                f"noise must be < 1 with noise_kind='masking'; got noise={self.noise!r}, which "
                "masks every entry."
            )
        if self.tied_weights and (self.block != "dense" or self.image_shape is not None):
            raise ValueError(
                "tied_weights=True needs block='dense' and image_shape=None; got "
                f"block={self.block!r}, image_shape={self.image_shape!r}."
            )
        if self.contraction and self.compile:
            raise ValueError(
                "compile must be False with contraction > 0, which differentiates twice; got "
                f"compile={self.compile!r}, contraction={self.contraction!r}."
            )
        fixed = _LOGIT_LOSSES.get(self.loss)
        if fixed is not None and self.output_activation not in ("auto", fixed):
            raise ValueError(
                f"output_activation must be 'auto' or {fixed!r} for loss={self.loss!r}; got "
                f"{self.output_activation!r}."
            )

    def _output_activation(self):
        if self.output_activation != "auto":
            return self.output_activation
        return _LOGIT_LOSSES.get(self.loss, "identity")

    def _fit_scaler(self, data, rng):
        scaling = self.feature_scaling if self._output_activation() == "identity" else None
        return LinearScaler.fit(data.X, data.weight, rng=rng, scaling=scaling)

    def _architecture(self, data, scaler):
        return {
            **self._coder_architecture(data),
            "tied_weights": bool(self.tied_weights),
            "output_activation": self._output_activation(),
            "loss_on_logits": self.loss in _LOGIT_LOSSES,
            "noise": float(self.noise),
            "noise_kind": self.noise_kind,
            "contractive": bool(self.contraction > 0),
            "global_skip": bool(self.global_skip),
        }

    @staticmethod
    def _make_module(architecture, streams):
        shape, rest = CoderShape.take_from(architecture)
        return AutoencoderModule(shape, streams, **rest)

    def _objective(self, phase):
        penalties = {"sparsity": float(self.sparsity), "contraction": float(self.contraction)}
        hyperparameters = {name: weight for name, weight in penalties.items() if weight}
        support = None
        if self.loss in _SUPPORTS:
            low, high = _SUPPORTS[self.loss]
            support = {"low": low, "high": high, "reason": f"loss={self.loss!r}"}
        return Objective(_loss_terms, {"loss": self.loss, **hyperparameters}, support=support)

    def _reconstruction_loss(self, X, X_hat):
        """Loss of each row between rows and reconstructions in the units of ``X``."""
        loss = self._net_options["hyperparameters"]["loss"]
        if loss == "mse":
            return np.square(X - X_hat).mean(axis=1)
        if loss == "huber":
            distance = np.abs(X - X_hat)
            return np.where(distance <= 1, 0.5 * distance**2, distance - 0.5).mean(axis=1)
        # float32 probabilities can round to zero and one, whose logarithms are not finite
        X_hat = np.clip(X_hat, np.finfo(np.float32).tiny, 1 - np.finfo(np.float32).eps / 2)
        if loss == "multinomial":
            return -xlogy(X, X_hat).mean(axis=1)
        return -(xlogy(X, X_hat) + xlog1py(1 - X, -X_hat)).mean(axis=1)


def _loss_terms(output, batch, hyperparameters):
    """Losses of each sample by name, (batch,) each."""
    loss = _LOSSES[hyperparameters["loss"]]
    if loss is losses.squared_error and batch.weight is None:
        loss = losses.mean_squared_error
    terms = {"reconstruction": loss(output.reconstruction, batch.x)}
    if "sparsity" in hyperparameters:
        terms["sparsity"] = hyperparameters["sparsity"] * losses.l1_norm(output.code)
    if output.contraction is not None:
        terms["contraction"] = hyperparameters["contraction"] * output.contraction
    return terms
