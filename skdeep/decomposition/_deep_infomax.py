"""Deep InfoMax."""

import numpy as np
import torch

from skdeep._scores import ScoreMixin
from skdeep._training._objective import Objective
from skdeep._views import ViewsMixin
from skdeep.base import DeepEstimator
from skdeep.nn._coder import CoderShape
from skdeep.nn._infomax import N_REFERENCES, InfoMaxModule
from skdeep.nn.mutual_information import (
    OBJECTIVES,
    OBJECTIVES_OF_SAMPLES,
    distance_from_normality,
    other_samples,
)
from skdeep.utils._distinct import distinct_rows
from skdeep.utils._params import NON_NEGATIVE, param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import StrOptions
from skdeep.utils._slabs import dense


class DeepInfoMax(ScoreMixin, ViewsMixin, DeepEstimator):
    r"""Deep InfoMax: features that have much mutual information with the samples.

    Trains an encoder without reconstruction [1]_: a critic must tell the code of a sample from the
    codes of other samples of the batch, given the features of the sample in an earlier layer, as a
    whole (global) or at each pixel of a feature map (local). Minimizes the negative of a lower
    bound of the mutual information between features and code, plus a distance of the codes from a
    normal distribution. Features and code come from two random views of the sample [2]_, so that
    the code keeps what views have in common.

    Parameters
    ----------
    n_components : int, default=64
        Number of components, that is, of the features that ``transform`` returns.
    objective : {"dv", "infonce", "jsd"}, default="infonce"
        Bound of the mutual information: ``"infonce"``, the cross-entropy of a sample among the
        others; ``"jsd"``, Jensen-Shannon; ``"dv"``, Donsker-Varadhan. More negatives help
        ``"infonce"``: it may need larger batches than ``"jsd"``.
    global_weight : float, default=0.5
        Weight of the information between all features of a sample and its code.
    local_weight : float, default=1.0
        Weight of the information between the features at each pixel of the last feature map, on
        average, and the code. Ignored without ``image_shape``: tables only have the global term.
    prior_weight : float, default=0.1
        Weight of the squared distance of the codes from the standard normal distribution, the
        maximum mean discrepancy with a Gaussian kernel [3]_.
    augment : {"auto", "affine", "shift", "shift+flip"} or None, default="auto"
        Augmentation of images during training: ``"affine"`` rotates, scales, shears and shifts each
        image by random amounts, ``"shift"`` moves it by up to a twelfth of its shorter side, and
        ``"shift+flip"`` also mirrors it. ``"auto"`` is ``"affine"`` with ``image_shape``, else
        None.
    noise : float, default=0.5
        Amount of noise added to each sample during training: the standard deviation of Gaussian
        noise, in units of the scaled features, or the fraction of masked entries.
    noise_kind : {"gaussian", "masking"}, default="gaussian"
        ``"masking"`` sets entries to zero, which is the mean of a feature if features are scaled.
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
    batch_norm : bool, default=True
        Whether to apply batch normalization to the hidden layers.
    feature_scaling : {"global", "standard"} or None, default="global"
        Scaling of the features. ``"global"`` subtracts the mean of each feature and divides all
        features by one number, the square root of their mean variance, so that they keep their
        relative variances, as in PCA. ``"standard"`` divides each feature by its standard
        deviation. With None, or with a loss, likelihood or output activation that restricts the
        range of ``X``, features are not scaled. Results are in the units of ``X``.
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
    lr : float, default=2e-3
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
    n_iter_ : int
        Number of epochs trained.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch, weighted sum of its terms, in nats.
    history_ : list of dict, length `n_iter_`
        Record of each epoch in skorch's format: losses, their terms (``train_global``,
        ``train_local``, ``train_prior``), and seconds.
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
    Autoencoder : Reconstructs samples, for codes that keep as much of them as possible.
    skdeep.cluster.DeepCluster : Features that predict clusters of themselves.
    sklearn.decomposition.PCA : Linear dimensionality reduction.

    Notes
    -----
    It differs from the paper [1]_ in the two views, which are the sample itself only without
    augmentation and noise; in the prior, which the paper matches by an adversary; and in scores,
    which are cosine similarities of codes and features that are mapped to a common space.

    References
    ----------
    .. [1] Hjelm et al. (2019), "Learning Deep Representations by Mutual Information Estimation and
       Maximization", ICLR.
    .. [2] Bachman, Hjelm and Buchwalter (2019), "Learning Representations by Maximizing Mutual
       Information Across Views", NeurIPS.
    .. [3] Gretton et al. (2012), "A Kernel Two-Sample Test", JMLR 13.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep.decomposition import DeepInfoMax
    >>> X, _ = load_digits(return_X_y=True)
    >>> dim = DeepInfoMax(16, max_epochs=2, random_state=0).fit(X)
    >>> dim.transform(X).shape
    (1797, 16)
    """

    n_components: int = param(default=64)
    objective: str = param(StrOptions(set(OBJECTIVES)), default="infonce")
    global_weight: float = param(NON_NEGATIVE, default=0.5)
    local_weight: float = param(NON_NEGATIVE, default=1.0)
    prior_weight: float = param(NON_NEGATIVE, default=0.1)
    batch_norm: bool = param(default=True)
    lr: float = param(default=2e-3)
    lr_schedule: str = param(default="cosine")

    @own_settings()
    def score_samples(self, X) -> np.ndarray:
        """Score the information about each sample in its code; higher is better.

        The negatives are up to 128 training samples, so that the score of a sample does not depend
        on the other samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to score.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Negative weighted sum of the global and the local loss, in nats.
        """
        X = self._check_new(X)
        return self._apply(self._information, X).ravel().astype(np.float64)

    def _information(self, x):
        """Score scaled samples, (batch, n_features) -> (batch, 1)."""
        hyperparameters = self._net_options["hyperparameters"]
        loss = OBJECTIVES_OF_SAMPLES[hyperparameters["objective"]]
        module = self.module_
        output = module(x)
        others = module.reference_weight.log().expand(x.shape[0], -1)
        score = x.new_zeros(x.shape[0])
        for name, pairs in output.pairs().items():
            negative = pairs.negative(module.critics[name].references)
            terms = loss(pairs.positive(), negative, others)
            score = score - hyperparameters[f"{name}_weight"] * terms.mean(dim=1)
        return score.unsqueeze(1)

    def _plan(self, fit):
        fit.announce(int(self.max_epochs))
        X, weight = self._references(fit)
        x, weight = fit.scaler.to_tensor(X).to(fit.device), torch.from_numpy(weight)

        def set_references(fit):
            fit.module.eval().set_references(x, weight)

        yield from fit.train(
            self.max_epochs, phase="information", optimizer="keep", on_epoch=set_references
        )

    def _references(self, fit):
        """Choose the training samples that are the negatives in ``score_samples``."""
        X, weight = fit.data.X, fit.data.weight
        index = np.arange(X.shape[0]) if weight is None else np.flatnonzero(weight)
        rng = np.random.default_rng(fit.seed)
        if len(index) > max(self.batch_size, N_REFERENCES):
            index = np.sort(rng.choice(index, N_REFERENCES, replace=False))
        rows, total = distinct_rows(dense(X, index), None if weight is None else weight[index])
        if len(rows) > N_REFERENCES:
            kept = np.sort(rng.choice(len(rows), N_REFERENCES, replace=False))
            rows, total = rows[kept], total[kept]
        return rows, total * (N_REFERENCES / total.sum())

    def _check_combination(self):
        super()._check_combination()
        if not (self.global_weight or (self.local_weight and self.image_shape is not None)):
            raise ValueError(
                "global_weight must be > 0, or local_weight with image_shape; got "
                f"global_weight={self.global_weight!r}, local_weight={self.local_weight!r} and "
                f"image_shape={self.image_shape!r}. Set global_weight=1."
            )

    def _architecture(self, data, scaler):
        return {
            **self._coder_architecture(data),
            **self._view_architecture(),
            "compares_global": bool(self.global_weight > 0),
            "compares_local": bool(self.local_weight > 0 and self.image_shape is not None),
        }

    @staticmethod
    def _make_module(architecture, streams):
        shape, rest = CoderShape.take_from(architecture)
        return InfoMaxModule(shape, streams, **rest)

    def _objective(self, phase):
        names = ("global_weight", "local_weight", "prior_weight")
        weights = {name: float(getattr(self, name)) for name in names}
        return Objective(_loss_terms, {"objective": self.objective, **weights})


def _loss_terms(output, batch, hyperparameters):
    """Losses of each sample by name, (batch,) each."""
    loss = OBJECTIVES[hyperparameters["objective"]]
    others = other_samples(batch.weight, output.code)
    terms = {}
    for name, pairs in output.pairs().items():
        positive = pairs.positive()
        if len(others) == 1:  # a single sample has no negatives
            losses = 0 * positive
        else:
            losses = loss(positive, pairs.negative(pairs.code), others)
        terms[name] = hyperparameters[f"{name}_weight"] * losses.mean(dim=1)
    if hyperparameters["prior_weight"]:
        prior = distance_from_normality(output.code, batch.weight)
        terms["prior"] = hyperparameters["prior_weight"] * prior
    return terms
