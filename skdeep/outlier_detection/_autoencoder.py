"""Outlier detection by reconstruction errors."""

from collections.abc import Sequence
from functools import partial
from numbers import Real

import numpy as np
import torch

from skdeep._preprocessing._distribution import sample_rows
from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.nn._autoencoder_ensemble import AutoencoderEnsemble, loss_terms
from skdeep.outlier_detection._base import OutlierDetectorMixin
from skdeep.utils._params import NON_NEGATIVE, POSITIVE_INTEGER, param
from skdeep.utils._sklearn import Interval
from skdeep.utils._validation import check_layer_sizes

# The scale of the errors of a feature is their trimmed mean, plus this fraction of their mean, plus
# this fraction of the mean scale of all features.
_FLOOR, _LEAST = 1e-2, 1e-6
# It is computed from so many errors at most, but from so many samples at least.
_MOST_ENTRIES, _LEAST_ROWS = 2**22, 256


class AutoencoderOutlierDetector(OutlierDetectorMixin, DeepEstimator):
    r"""Outlier detection by the reconstruction errors of an ensemble of denoising autoencoders.

    Small autoencoders [1]_ are trained to remove noise of different strength, all at once as one
    stack. Weak noise makes a net sensitive to samples far from their neighbors, strong noise to
    samples far from the bulk of the data. Each net minimizes the mean squared error of the
    reconstructions, without the worst samples of each batch, so that outliers among the training
    samples are not learned. The score of a sample is minus

    .. math:: \Bigl( \frac{1}{M} \sum_{m=1}^M e_m(x)^2 \Bigr)^{1/2}, \quad
        e_m(x) = \frac{1}{d} \sum_{j=1}^d \frac{(x_j - r_{mj}(x))^2}{s_{mj}}

    with the reconstruction :math:`r_m` of each net and a robust mean :math:`s_{mj}` of its errors
    on the training samples.

    Parameters
    ----------
    contamination : float or "auto", default="auto"
        Fraction of the training samples that are outliers, in (0, 0.5], which determines
        ``offset_``. With ``"auto"``, outliers are samples whose score is more than three robust
        standard deviations below the median of the training samples, see Notes. It does not
        affect scores.
    n_estimators : int, default=10
        Number of nets, which differ in their initial weights and in their noise.
    noise : float or tuple of two floats, default=(0.1, 8.0)
        Standard deviation of the noise, in units of the scaled features. Those of the nets are
        spaced geometrically between two values. With 0, nets are plain autoencoders, for which
        the last hidden layer should be narrow.
    trim : float, default=0.1
        Fraction of the samples with the largest errors that are ignored, by each net: of each
        batch in the loss, and of the training samples in the robust mean of the errors of each
        feature. Should be at least the fraction of outliers that is expected.
    hidden_layer_sizes : int or tuple of int, default=(128,)
        Number of units in each hidden layer of the encoder of each net; the last one computes the
        code. The decoder mirrors the others. ``()`` makes the nets linear, without a code.
    activation : str, default="relu"
        Activation function of the hidden layers: ``"identity"``, ``"relu"``, ``"leaky_relu"``,
        ``"elu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"logistic"``.
    feature_scaling : {"global", "quantile", "standard"} or None, default="standard"
        Scaling of the features. ``"standard"`` divides each feature by its standard deviation and
        ``"global"`` divides all by one number. ``"quantile"`` maps each feature to the standard
        normal distribution by its ranks, which hides values outside of the training range. With
        None, features are not scaled.
    optimizer : {"adamw", "adam", "sgd"} or torch.optim.Optimizer subclass, default="adamw"
        Optimization algorithm. ``"sgd"`` has a Nesterov momentum of 0.9. A class is called as
        ``optimizer(parameters, lr=lr, weight_decay=weight_decay)``.
    precision : {"float32", "bf16-mixed"}, default="float32"
        Floating-point precision of training. ``"bf16-mixed"`` can be faster on recent GPUs.
    compile : bool, default=False
        Whether to train through ``torch.compile``. Only worthwhile for large nets on GPUs.
    max_epochs : int or "auto", default="auto"
        Maximum number of epochs. ``"auto"`` gives about 500 steps of the optimizer for
        tables, 2000 for DiffusionTimeDetector, and 1000 for images; if there are more than 10,000
        images, 2000 for clusters and 4000 for classes.
    batch_size : int, default=128
        Maximum number of samples per mini-batch. The batches of an epoch differ in size by at most
        one sample. If there are no more samples than that, including held-out ones, each epoch is a
        single batch, and the result depends neither on the order of the samples nor on whether a
        sample appears twice or has twice the weight. In a GAN, batches of this size are drawn with
        replacement instead, whatever the number of samples.
    lr : float, default=0.005
        Learning rate of the optimizer; with a schedule, its maximum.
    weight_decay : float, default=0.0
        Weight decay, for all weights; AdamW applies it decoupled from the gradient.
    lr_schedule : {"constant", "coslog4", "cosine", "onecycle", "plateau"}, default="cosine"
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
    offset_ : float
        Threshold of ``score_samples``: samples with a lower score are outliers.
    n_iter_ : int
        Number of epochs trained.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch, squared error per scaled feature.
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
        From ``fit``, if the loss or a weight stops being finite.

    See Also
    --------
    DiffusionTimeDetector : Predicts how much noise a sample contains.
    sklearn.ensemble.IsolationForest : Isolates samples by random splits; fast, and robust if many
        training samples are outliers.
    sklearn.neighbors.LocalOutlierFactor : Compares the density of samples to that of their
        neighbors.

    Notes
    -----
    With ``contamination="auto"``, ``offset_`` is :math:`m - 3 s`, with the median :math:`m` of the
    training scores and their robust standard deviation :math:`s`, 1.4826 times the median absolute
    deviation from :math:`m`. Scikit-learn's detectors have thresholds of their own for ``"auto"``.

    Scores of training samples and of new ones are computed in the same way: ``predict`` may be
    called on either, and there is no parameter ``novelty``.

    Departures from [1]_: nets are trained on noisy samples, they differ in their noise instead of
    their connections, and errors are scaled by feature.

    References
    ----------
    .. [1] Chen et al. (2017), "Outlier Detection with Autoencoder Ensembles", SDM.
    .. [2] Zhou and Paffenroth (2017), "Anomaly Detection with Robust Deep Autoencoders", KDD.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.outlier_detection import AutoencoderOutlierDetector
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> detector = AutoencoderOutlierDetector(0.05, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.1], [5.0, -5.0]])
    array([ 1, -1])
    """

    n_estimators: int = param(POSITIVE_INTEGER, default=10)
    noise: float | Sequence[float] = param(NON_NEGATIVE, "array-like", default=(0.1, 8.0))
    trim: float = param(Interval(Real, 0, 1, closed="left"), default=0.1)
    hidden_layer_sizes: int | Sequence[int] = param(POSITIVE_INTEGER, "array-like", default=(128,))
    lr: float = param(default=5e-3)

    _n_steps = 500
    _changeable = ("noise",)

    def _score(self, module, apply, state):
        scale = torch.tensor(state["_error_scale"])
        errors = apply(partial(module.errors, scale=scale))  # (n_samples, n_estimators)
        return -np.sqrt(np.square(errors, dtype=np.float64).mean(axis=1))

    # Recipe --------------------------------------------------------------------------------

    def _calibrate(self, fit):
        """Compute the robust mean of the errors of each net and feature on training samples."""
        module, X, weight = fit.module, fit.data.X, fit.data.weight
        most = max(_LEAST_ROWS, _MOST_ENTRIES // (X.shape[1] * len(module.noise)))
        rows = sample_rows(X, weight, np.random.default_rng(fit.seed), most)
        errors = fit.apply(module.squared_errors, X[rows])
        weight = None if weight is None else weight[rows]
        trimmed, mean = (_trimmed_mean(errors, weight, trim) for trim in (self.trim, 0.0))
        scale = (trimmed + _FLOOR * mean).reshape(len(module.noise), 1, -1)
        # errors of all features may be zero
        scale = scale + _LEAST * scale.mean(axis=2, keepdims=True) + np.finfo(np.float32).tiny
        return {"_error_scale": scale.astype(np.float32)}

    # Hooks ---------------------------------------------------------------------------------

    def _check_combination(self):
        self._noise_levels()

    def _noise_levels(self):
        """Return the noise of each net as a tuple."""
        n_estimators, given = int(self.n_estimators), self.noise
        if np.ndim(given) == 0:
            return (float(given),) * n_estimators
        is_pair = len(given) == 2 and all(isinstance(level, Real) for level in given)
        if not (is_pair and 0 < given[0] <= given[1] < np.inf):
            raise ValueError(
                "noise must be a number or two positive numbers, the smaller one first; got "
                f"noise={given!r}."
            )
        low, high = given
        if n_estimators == 1:
            return (float(np.sqrt(low * high)),)
        return tuple(np.geomspace(low, high, n_estimators).tolist())

    def _architecture(self, data, scaler):
        return {
            "n_features": scaler.width,
            "n_estimators": int(self.n_estimators),
            "hidden_layer_sizes": check_layer_sizes(self.hidden_layer_sizes, auto=()),
            "activation": self.activation,
            "noise": self._noise_levels(),
        }

    @staticmethod
    def _make_module(architecture, streams):
        return AutoencoderEnsemble(streams=streams, **architecture)

    def _objective(self, phase):
        return Objective(loss_terms, {"trim": float(self.trim)})


def _trimmed_mean(errors, weight, trim):
    """Mean of each column without the largest entries, a fraction ``trim`` of the weight."""
    order = errors.argsort(axis=0)
    errors = np.take_along_axis(errors, order, axis=0)
    weight = np.ones_like(errors) if weight is None else weight[order]
    reached = weight.cumsum(axis=0)
    kept = np.clip((1 - trim) * reached[-1] - (reached - weight), 0, weight)
    return (kept * errors).sum(axis=0) / kept.sum(axis=0)
