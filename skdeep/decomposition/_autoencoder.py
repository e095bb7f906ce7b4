"""Autoencoders."""

import numpy as np
from scipy.special import xlog1py, xlogy
from sklearn.utils.metaestimators import available_if

from skdeep._preprocessing._linear import LinearScaler
from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.decomposition._base import AutoencoderMixin, multinomial_loss
from skdeep.nn import losses
from skdeep.nn._activation import OUTPUT_ACTIVATIONS
from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._coder import CoderShape
from skdeep.nn._dropout import CORRUPTIONS
from skdeep.utils._params import NON_NEGATIVE, param
from skdeep.utils._sklearn import StrOptions

_LOSSES = {
    "mse": losses.squared_error,
    "huber": losses.huber,
    "bce": losses.binary_cross_entropy,
    "multinomial": losses.multinomial,
}
# Losses that are computed on logits, and the output activation that matches each.
_LOGIT_LOSSES = {"bce": "logistic", "multinomial": "softmax"}
# Range that samples must lie in.
_SUPPORTS = {"bce": (0.0, 1.0), "multinomial": (0.0, np.inf)}


def _decodes_alone(estimator):
    """Whether codes are sufficient for decoding; with a global skip they are not."""
    if estimator.global_skip:
        raise AttributeError(
            "inverse_transform needs global_skip=False: with the skip, a reconstruction is the "
            "input plus a correction, and the input is unknown given the codes. Use reconstruct(X)."
        )
    return True


class Autoencoder(AutoencoderMixin, DeepEstimator):
    """Autoencoder: nonlinear dimensionality reduction by an encoder and a decoder.

    Minimizes the mean reconstruction loss of the samples, plus optional penalties. Without hidden
    layers, the reconstructions span the same subspace as PCA; with hidden layers, they lie on a
    curved manifold [3]_.

    Parameters
    ----------
    n_components : int, default=2
        Number of components, that is, the dimension of the codes.
    output_activation : str, default="auto"
        Activation function of the decoder's output: ``"identity"``, ``"logistic"``, ``"relu"``,
        ``"softmax"``, ``"softplus"`` or ``"tanh"``. ``"auto"`` chooses the one that matches the
        loss.
    loss : {"mse", "huber", "bce", "multinomial"}, default="mse"
        Reconstruction loss, averaged over the features: squared error; Huber loss, quadratic up to
        a distance of one; binary cross-entropy, for features in [0, 1]; or negative multinomial
        log-likelihood for counts [4]_, whose reconstructions are probabilities.
    noise : float, default=0.0
        Amount of noise added to the input of the encoder during training, while the target remains
        the clean sample [1]_: the standard deviation of Gaussian noise, in units of the scaled
        features, or the fraction of masked entries.
    noise_kind : {"gaussian", "masking"}, default="gaussian"
        ``"masking"`` sets entries to zero, which is the mean of a feature if features are scaled.
    sparsity : float, default=0.0
        Weight of an L1 penalty on the codes: the mean absolute value of their entries.
    contraction : float, default=0.0
        Weight of a penalty on the squared norm of the encoder's Jacobian [2]_. Takes
        ``n_components`` additional backward passes.
    global_skip : bool, default=False
        Whether to add the input to the output of the decoder, which then learns a correction
        instead of the sample itself. Requires ``noise > 0``, as otherwise a correction of zero is
        the trivial optimum.
    tied_weights : bool, default=False
        Whether the weights of the decoder are the transposed weights of the encoder [1]_. Only for
        dense blocks.
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
        Mean training loss of each epoch, per feature, in units of the scaled features: for
        ``loss="mse"``, predicting the mean of the training samples has a loss of 1.
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
    VariationalAutoencoder : Autoencoder with a prior over the codes, which can draw new samples.
    sklearn.decomposition.PCA : The best linear dimensionality reduction.

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
    noise: float = param(NON_NEGATIVE, default=0.0, lifted=True)
    noise_kind: str = param(StrOptions(set(CORRUPTIONS)), default="gaussian")
    sparsity: float = param(NON_NEGATIVE, default=0.0, lifted=True)
    contraction: float = param(NON_NEGATIVE, default=0.0, lifted=True)
    global_skip: bool = param("boolean", default=False)
    tied_weights: bool = param("boolean", default=False)

    _changeable = ("noise", "noise_kind", "contractive")

    @available_if(_decodes_alone)
    def inverse_transform(self, X) -> np.ndarray:
        """Transform codes back to samples; not available with ``global_skip=True``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as returned by ``transform``.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Samples in the units of the training data.
        """
        return super().inverse_transform(X)

    def _check_combination(self):
        """Raise ``ValueError`` for parameters that cannot be combined."""
        if self.global_skip and not self.noise:
            raise ValueError(
                "global_skip=True needs noise > 0: without noise, a correction of zero is the "
                f"trivial optimum and codes carry no information; got noise={self.noise!r}."
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
                "compile must be False with contraction > 0, which needs second derivatives; got "
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
        """Loss of each sample, between samples and reconstructions in the units of ``X``."""
        loss = self._net_options["hyperparameters"]["loss"]
        if loss == "mse":
            return np.square(X - X_hat).mean(axis=1)
        if loss == "huber":
            distance = np.abs(X - X_hat)
            return np.where(distance <= 1, 0.5 * distance**2, distance - 0.5).mean(axis=1)
        if loss == "multinomial":
            return multinomial_loss(X, X_hat)
        # float32 probabilities can round to zero and one, whose logarithms are not finite
        X_hat = np.clip(X_hat, np.finfo(np.float32).tiny, 1 - np.finfo(np.float32).eps / 2)
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
