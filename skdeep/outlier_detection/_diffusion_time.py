"""Outlier detection by diffusion time."""

from collections.abc import Sequence
from numbers import Integral

import numpy as np

from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.nn import losses
from skdeep.nn._diffusion_time import DiffusionTimeNet, noise_levels
from skdeep.outlier_detection._base import OutlierDetectorMixin
from skdeep.utils._params import BELOW_ONE, POSITIVE_INTEGER, param
from skdeep.utils._sklearn import Interval
from skdeep.utils._validation import check_layer_sizes


class DiffusionTimeDetector(OutlierDetectorMixin, DeepEstimator):
    r"""Outlier detection by the diffusion time of samples, DTE-C [1]_.

    A net is trained to tell how much noise was added to a sample: it minimizes the cross-entropy of
    the step :math:`t` of a diffusion, in bins, for samples :math:`x + \sigma_t \epsilon` with
    standard normal :math:`\epsilon`. Samples that are unlike the training samples look as if they
    contained noise. The score is minus the expected bin, as a fraction of the last one, between
    -1 and 0.

    Parameters
    ----------
    contamination : float or "auto", default="auto"
        Fraction of the training samples that are outliers, in (0, 0.5], which determines
        ``offset_``. With ``"auto"``, outliers are samples whose score is more than three robust
        standard deviations below the median of the training samples, see Notes. It does not
        affect scores.
    n_steps : int, default=400
        Number of steps of the diffusion. The variance that a step adds increases linearly from
        0.0001 to 0.01, in units of the scaled features.
    n_bins : int, default=7
        Number of bins of equal length into which the steps are divided.
    hidden_layer_sizes : int or tuple of int, default=(256, 512, 256)
        Number of units in each hidden layer.
    dropout : float, default=0.5
        Fraction of the hidden units that are set to zero during training; in a GAN, of those of the
        critic.
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
    lr : float, default=0.001
        Learning rate of the optimizer; with a schedule, its maximum.
    weight_decay : float, default=0.0005
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
    noise_levels_ : ndarray of shape (n_steps,)
        Standard deviation of the noise after each step of the diffusion, in units of the scaled
        features.
    n_iter_ : int
        Number of epochs trained.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch, in nats.
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
    AutoencoderOutlierDetector : Errors of an ensemble of autoencoders.
    sklearn.neighbors.NearestNeighbors : The distance to the nearest neighbors is a strong baseline
        if the training samples contain no outliers.

    Notes
    -----
    There is no dropout in the first hidden layer.

    With ``contamination="auto"``, ``offset_`` is :math:`m - 3 s`, with the median :math:`m` of the
    training scores and their robust standard deviation :math:`s`, 1.4826 times the median absolute
    deviation from :math:`m`. Scikit-learn's detectors have thresholds of their own for ``"auto"``.

    Scores of training samples and of new ones are computed in the same way: ``predict`` may be
    called on either, and there is no parameter ``novelty``.

    Departures from the code of [1]_: batches of 128 samples, a learning rate of 0.001 that
    decreases to zero, decoupled weight decay, and 2000 steps of the optimizer instead of 400
    epochs.

    References
    ----------
    .. [1] Livernoche et al. (2024), "On Diffusion Modeling for Anomaly Detection", ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.outlier_detection import DiffusionTimeDetector
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> detector = DiffusionTimeDetector(0.05, max_epochs=200, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.1], [5.0, -5.0]])
    array([ 1, -1])
    """

    n_steps: int = param(POSITIVE_INTEGER, default=400)
    n_bins: int = param(Interval(Integral, 2, None, closed="left"), default=7)
    hidden_layer_sizes: int | Sequence[int] = param(
        POSITIVE_INTEGER, "array-like", default=(256, 512, 256)
    )
    dropout: float = param(BELOW_ONE, default=0.5, lifted=True)
    weight_decay: float = param(default=5e-4)

    _n_steps = 2000
    _changeable = ("dropout",)

    @property
    def noise_levels_(self) -> np.ndarray:
        """Standard deviation of the noise after each step of the diffusion."""
        return noise_levels(self._fitted_architecture["n_steps"])

    def _score(self, module, apply, state):
        return -apply(module.predict)[:, 0].astype(np.float64)

    # Hooks ---------------------------------------------------------------------------------

    def _check_combination(self):
        if self.n_steps < self.n_bins:
            raise ValueError(
                f"n_steps must be >= n_bins; got n_steps={self.n_steps} and n_bins={self.n_bins}. "
                "Raise n_steps, or lower n_bins."
            )

    def _architecture(self, data, scaler):
        return {
            "n_features": scaler.width,
            "hidden_layer_sizes": check_layer_sizes(self.hidden_layer_sizes, auto=()),
            "n_bins": int(self.n_bins),
            "activation": self.activation,
            "dropout": float(self.dropout),
            "n_steps": int(self.n_steps),
        }

    @staticmethod
    def _make_module(architecture, streams):
        return DiffusionTimeNet(streams=streams, **architecture)

    def _objective(self, phase):
        return Objective(_loss_terms)


def _loss_terms(output, batch, hyperparameters):
    """Cross-entropy of each sample, (batch,)."""
    return {"cross_entropy": losses.cross_entropy(output.logits, output.bins.long())}
