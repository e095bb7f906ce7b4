"""Classification with few labels."""

from collections.abc import Sequence
from numbers import Real
from typing import Self

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin

from skdeep._encoder import EncoderMixin
from skdeep._fit_data import Data
from skdeep._invariance import InvarianceMixin
from skdeep._preprocessing._linear import LinearScaler
from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.neural_network._labels import class_weights
from skdeep.nn._coder import CoderShape
from skdeep.nn._few_labels_net import CODE, FewLabelsNet, loss_terms
from skdeep.semi_supervised._batches import FewLabelsTraining
from skdeep.semi_supervised._class_prior import estimate_prior
from skdeep.semi_supervised._linear_part import fit_linear
from skdeep.utils._missing_labels import accuracy_on_labelled, encode_some_labels
from skdeep.utils._params import BELOW_ONE, NON_NEGATIVE, POSITIVE, POSITIVE_INTEGER, param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import StrOptions, fit_context, with_callbacks

# Values of parameters that are "auto", for tables and for images; steps of the optimizer, which
# determine the number of epochs, are four times as many for many images.
_STEPS, _MANY_STEPS, _FEW_ROWS = (500, 1000), 4000, 10_000
_LR = 1e-3, 2e-3
_WIDTH = 512, 256
_INFORMATION = 0.1, 0.3
_LINEAR = 0.5, 0.0
# Channels of the third convolutional stage and size of the first kernel, both only for images whose
# sides are at least ``_LARGE_SIDE``.
_THIRD_STAGE, _FIRST_KERNEL_SIZE, _LARGE_SIDE = 64, 5, 16
# Steps of the random walk to a neighbor.
_WALK = 3


class FewLabelsClassifier(ClassifierMixin, InvarianceMixin, EncoderMixin, DeepEstimator):
    r"""Classifier for samples of which few have a label, by invariance and entropy.

    A net returns the probability of each class. It is trained on the labels and, with all
    samples, to put a sample and its *views*, such as rotated copies of an image or slightly
    changed rows of a table, into the same class [1]_ [3]_, to be sure of the class [2]_, and to
    give the classes their expected fractions. It minimizes

    .. math:: \overline{-\log p(y|x)} + \alpha \, \overline{\mathrm{KL}(p(y|x) \,\|\, p(y|T(x)))}
              + \lambda \, [H(y|x) + \mu \, \mathrm{KL}(p(y) \,\|\, \pi)],

    the first term for labelled and the others for all samples, with the entropy :math:`H` in nats,
    views :math:`T(x)`, ``class_prior`` :math:`\pi`, ``invariance_weight`` :math:`\alpha`,
    ``information_weight`` :math:`\lambda` and ``balance_weight`` :math:`\mu`. For a uniform prior
    the last term is :math:`-\mu H(y)` up to a constant.

    For tables, its probabilities are averaged with those of
    :class:`~sklearn.linear_model.LogisticRegression`, fitted to the labelled samples. For images
    with ``"affine"`` views, log-probabilities are averaged over the image and four copies of it,
    rotated by 6 degrees in either direction and shifted diagonally by 3 % of height and width, both
    times ``invariance_strength``. This is a third of the maximum in training. Predictions take five
    times as long.

    Parameters
    ----------
    invariance : "auto", {"affine", "neighbors", "noise", "vat"} or list of these, default="auto"
        The views of a sample that must be in its cluster or class. ``"affine"``: the image,
        rotated, stretched, sheared and shifted. ``"neighbors"``: the end of a random walk to
        near neighbors. ``"noise"``: the same with Gaussian noise, and with a tenth of the
        features replaced by their mean. ``"vat"``: the sample, moved by a quarter of the
        distance to its neighbors in the direction that changes its probabilities most [3]_.
        ``"auto"`` is ``"affine"`` for images; for tables it is ``"neighbors"`` for clusters and
        ``"vat"`` for classes.
    invariance_weight : float, default=1.0
        Weight of the invariance relative to the cross-entropy of the labels.
    information_weight : float or "auto", default="auto"
        For clusters, weight of the mutual information relative to the invariance; for classes, of
        the entropies relative to the cross-entropy of the labels. ``"auto"`` is 0.2 for clusters
        of images and 0.3 for classes of images. For tables it is 0.1 for classes, and for clusters
        0.3 and then, in the last stage, 1.
    balance_weight : float, default=1.0
        Weight of the expected fractions of the classes relative to the entropy of each sample.
    linear_weight : float or "auto", default="auto"
        Weight in [0, 1) of logistic regression in the predicted probabilities; that of the net is
        the rest. ``"auto"`` is 0.5 for tables and 0 for images.
    class_prior : array-like of shape (n_classes,), default=None
        Expected fractions of all samples in the classes, in ascending order of the labels. By
        default they are those of the labelled samples, multiplied with the weights of samples and
        classes. With four classes or more they are shrunk towards equal fractions as far as chance
        may explain the differences, by the James-Stein estimator [4]_. In any case, 0.01 is added
        to each fraction before they are normalized. With ``class_weight="balanced"`` they are
        equal.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, multiplied with ``sample_weight``. Not supported for
        multilabel targets.
    unlabeled : int, float, str or None, default=-1
        Value that marks a missing label in ``y``, for example ``""``. None and NaN match any
        missing value. If ``y`` contains only -1 and 1, these are two classes, with a warning,
        unless ``unlabeled`` is something else.
    invariance_strength : float, default=1.0
        Factor of the transformations of ``"affine"``, the noise of ``"noise"`` and the
        distance of ``"vat"``. 1 means rotations of up to 18 degrees, stretching and shearing by
        25 to 37 %, and shifts by up to 9 % of a side.
    n_neighbors : int, default=10
        Number of near neighbors of a sample for ``"neighbors"``, ``"noise"`` and ``"vat"``.
        More than 10,000 samples are divided at random into parts of at most that size, and
        neighbors are searched within each part.
    n_components : int or "auto", default="auto"
        Width of the last hidden layer, which ``transform`` returns. ``"auto"`` is 512 for
        tables and 256 for images.
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
    feature_scaling : str or None, default="auto"
        Scaling of the features. ``"image"`` subtracts one mean from all features and
        divides them by one standard deviation. ``"minmax"`` gives features the same range,
        outside of which outliers beyond five standard deviations may lie, and a mean variance of
        one. ``"mixed"`` does the same, but gives features of two values, such as dummy variables, a
        range of one. ``"global"`` and ``"standard"`` subtract the mean of each feature and divide
        by one number for all of them or by the standard deviation of each. ``"auto"`` is
        ``"image"`` for images and ``"mixed"`` for tables.
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
    batch_size : int, default=256
        Maximum number of samples per mini-batch. The batches of an epoch differ in size by at most
        one sample. If there are no more samples than that, including held-out ones, each epoch is a
        single batch, and the result depends neither on the order of the samples nor on whether a
        sample appears twice or has twice the weight.
    lr : float or "auto", default="auto"
        Learning rate of the optimizer; with a schedule, its maximum. ``"auto"`` is 0.002
        for images; for tables it is 0.005 for clusters and 0.001 for classes.
    weight_decay : float, default=0.01
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
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    transduction_ : ndarray of shape (n_samples,)
        Label of each training sample: the given one, or the most probable class.
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
    skdeep.cluster.IMSAT : Clusters by the same loss, without labels.
    skdeep.neural_network.ResNetClassifier : Residual net for labelled samples.
    sklearn.semi_supervised.SelfTrainingClassifier : Adds confident predictions of any classifier
        to the labels.
    sklearn.semi_supervised.LabelSpreading : Spreads labels along a graph of neighbors.

    Notes
    -----
    An epoch visits every sample once. If a label is missing, labelled samples are added to each
    batch, in turn, until a quarter of it has a label: at least one, and each of them at most once.
    If all samples fit into one batch, none are added.

    Logistic regression has scikit-learn's default regularization, ``C=1``, and the same scaled
    features as the net. Weights of samples are divided by their mean. It uses at most 10,000
    labelled samples, or fewer if there are hundreds of features, drawn at random.

    For images with both sides of at least 16 pixels, the first convolution has a kernel of 5 x 5.
    All other kernels are 3 x 3.

    Departures from [1]_ and [3]_: affine views of images, whose batch statistics are those of
    samples and views together, and the expected fractions of the classes.

    References
    ----------
    .. [1] Hu et al. (2017), "Learning Discrete Representations via Information Maximizing
       Self-Augmented Training", ICML.
    .. [2] Grandvalet and Bengio (2005), "Semi-supervised Learning by Entropy Minimization",
       NeurIPS.
    .. [3] Miyato et al. (2019), "Virtual Adversarial Training: A Regularization Method for
       Supervised and Semi-Supervised Learning", IEEE TPAMI.
    .. [4] Hausser and Strimmer (2009), "Entropy Inference and the James-Stein Estimator, with
       Application to Nonlinear Gene Association Networks", JMLR 10.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from skdeep.semi_supervised import FewLabelsClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> few = np.full(178, -1)
    >>> few[::10] = y[::10]  # 18 labels
    >>> clf = FewLabelsClassifier(max_epochs=100, random_state=0).fit(X, few)
    >>> clf.score(X, y) > 0.9
    True
    """

    invariance: str | Sequence[str] = param(default="auto", kw_only=False)
    invariance_weight: float = param(NON_NEGATIVE, default=1.0)
    information_weight: float | str = param(NON_NEGATIVE, StrOptions({"auto"}), default="auto")
    balance_weight: float = param(NON_NEGATIVE, default=1.0)
    linear_weight: float | str = param(BELOW_ONE, StrOptions({"auto"}), default="auto")
    class_prior: Sequence[float] | None = param("array-like", None, default=None)
    class_weight: str | dict | None = param(
        StrOptions({"balanced"}), dict, None, default=None, data=True
    )
    unlabeled: float | str | None = param(Real, str, None, default=-1, data=True)
    n_components: int | str = param(
        POSITIVE_INTEGER, StrOptions({"auto"}), default="auto", kw_only=True
    )
    batch_norm: bool = param(default=True)
    feature_scaling: str | None = param(
        StrOptions({"auto", "global", "image", "minmax", "mixed", "standard"}), None, default="auto"
    )
    max_epochs: int | str = param(POSITIVE_INTEGER, StrOptions({"auto"}), default="auto")
    batch_size: int = param(default=256)
    lr: float | str = param(POSITIVE, StrOptions({"auto"}), default="auto")
    weight_decay: float = param(default=1e-2)
    lr_schedule: str = param(default="cosine")

    _auto_views = "vat"
    _net_class = FewLabelsTraining
    _changeable = ("invariance", "strength", "prior")

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Train the net.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples. Memory-mapped and sparse data are read batch by batch.
        y : array-like of shape (n_samples,)
            Class labels, ``unlabeled`` where they are missing. Required.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss. Samples with a weight of zero are ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight)

    @own_settings()
    def predict(self, X) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The most probable class of each sample.
        """
        codes = self._log_probabilities(X).argmax(axis=1)
        return self.classes_[codes]

    @own_settings()
    def predict_proba(self, X) -> np.ndarray:
        """Predict class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes), float64
            Probabilities in the order of ``classes_``. They sum to one for each sample.
        """
        return softmax(self._log_probabilities(X), axis=1)

    @own_settings()
    def predict_log_proba(self, X) -> np.ndarray:
        """Predict logarithms of class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        log_probability : ndarray of shape (n_samples, n_classes), float64
            Natural logarithm of the probabilities, finite even if a probability is rounded to zero.
        """
        return log_softmax(self._log_probabilities(X), axis=1)

    def score(self, X, y, sample_weight=None) -> float:
        """Return the accuracy on labelled samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to classify.
        y : array-like of shape (n_samples,)
            Class labels. Samples without a label are left out.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            Weighted fraction of the labelled samples whose class is predicted.
        """
        found = self.predict(X)
        return accuracy_on_labelled(y, found, self.unlabeled, self.classes_, sample_weight)

    # Recipe --------------------------------------------------------------------------------

    def _plan(self, fit):
        n_epochs, n_done = self._n_epochs(fit), len(fit.net.history) if fit.is_resumed else 0
        fit.announce(n_epochs)
        if self._auto("linear_weight", _LINEAR):
            fit.module.set_linear(*fit_linear(fit))
        graph = self._neighbor_graph(fit.rows, fit.seed)
        draw_partners = _DrawPartners(graph, np.random.default_rng([fit.seed, n_done]))
        if graph is not None:
            fit.rows.y = _with_radius(fit.rows.y, graph.radius)
        draw_partners(fit)
        yield from fit.train(
            n_epochs,
            optimizer="keep",
            on_epoch=draw_partners,
            lr=self._auto("lr", _LR),
        )

    def _auto(self, name, values):
        """Return a parameter, or if it is "auto" the first value for tables, else the second."""
        value = getattr(self, name)
        return values[self._has_images] if value == "auto" else value

    def _n_epochs(self, fit):
        if self.max_epochs != "auto":
            return int(self.max_epochs)
        has_many = self._has_images and len(fit.rows) > _FEW_ROWS
        n_steps = _MANY_STEPS if has_many else _STEPS[self._has_images]
        return self._epochs_of_steps(n_steps, fit)

    # Hooks ---------------------------------------------------------------------------------

    def _check(self, X, y=None, sample_weight=None, *, reset):
        data = super()._check(X, y, sample_weight, reset=reset)
        if y is None:
            return data
        known = None if reset else self.classes_
        classes, codes = encode_some_labels(y, data.X, self.unlabeled, known)
        is_labelled = codes >= 0
        weight = data.weight
        if weight is not None and not weight[is_labelled].any():
            raise ValueError(
                "sample_weight must be positive for at least one labelled sample; got zero for all "
                "of them."
            )
        if self.class_weight is not None:
            weight = np.ones(len(codes)) if weight is None else weight.copy()
            weight[is_labelled] = class_weights(
                codes[is_labelled], self.class_weight, classes, weight[is_labelled]
            )
        # a matrix, as distances to neighbors may join them
        targets = codes[:, np.newaxis].astype(np.float64)
        return Data(data.X, y=targets, weight=weight, attributes={"classes_": classes})

    def _fit_scaler(self, data, rng):
        scaling = self.feature_scaling
        if scaling == "auto":
            scaling = "image" if self._has_images else "mixed"
        return LinearScaler.fit(data.X, data.weight, rng=rng, scaling=scaling)

    def _architecture(self, data, scaler):
        coder = self._coder_architecture(data, self._auto("n_components", _WIDTH))
        if _has_large_sides(coder["image_shape"]):
            coder["first_kernel_size"] = _FIRST_KERNEL_SIZE
        return {
            **coder,
            "linear_weight": float(self._auto("linear_weight", _LINEAR)),
            "prior": self._prior(data),
            "invariance": self._views(),
            "strength": float(self.invariance_strength),
        }

    def _default_layers(self, image_shape):
        layers = super()._default_layers(image_shape)
        return (*layers, _THIRD_STAGE) if _has_large_sides(image_shape) else layers

    def _prior(self, data):
        """Return the expected fractions of the classes, by default estimated from the labels."""
        n_classes = len(data.attributes["classes_"])
        if self.class_prior is None:
            codes = data.y[:, CODE].astype(int)
            return tuple(estimate_prior(codes, data.X, data.weight, n_classes).tolist())
        prior = np.asarray(self.class_prior, dtype=np.float64)
        if prior.shape != (n_classes,) or not (prior > 0).all() or abs(prior.sum() - 1) > 1e-6:
            raise ValueError(
                f"class_prior must be {n_classes} positive fractions, one for each class, whose "
                f"sum is 1; got {self.class_prior!r}. Divide them by their sum."
            )
        return tuple(prior.tolist())

    @staticmethod
    def _make_module(architecture, streams):
        shape, rest = CoderShape.take_from(architecture)
        return FewLabelsNet(shape, streams, **rest)

    def _objective(self, phase):
        hyperparameters = {
            "invariance": float(self.invariance_weight),
            "information": float(self._auto("information_weight", _INFORMATION)),
            "balance": float(self.balance_weight),
            "views": self._views(),
        }
        return Objective(loss_terms, hyperparameters, is_paired=True)

    def _record(self, fit):
        codes = fit.apply(fit.module.log_proba).argmax(axis=1)
        given = fit.data.y[:, 0].astype(int)
        classes = fit.data.attributes["classes_"]
        labels = classes[np.where(given >= 0, given, codes)]
        return {**super()._record(fit), "transduction_": labels}

    def _log_probabilities(self, X):
        X = self._check_new(X)
        return self._apply(self.module_.log_proba, X).astype(np.float64, copy=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class _DrawPartners:
    """Draws a neighbor of each sample before each epoch.

    Parameters
    ----------
    graph : NeighborGraph or None
    rng : numpy.random.Generator
    """

    #: attributes that change during training
    saved = ("rng",)

    def __init__(self, graph, rng):
        self.graph, self.rng = graph, rng

    def __call__(self, fit):
        """Draw the neighbors."""
        if self.graph is not None:
            self.graph.draw_partners(fit.rows, _WALK, self.rng)


def _has_large_sides(image_shape):
    """Return whether samples are images of which no side is shorter than ``_LARGE_SIDE``."""
    return image_shape is not None and min(image_shape[1:]) >= _LARGE_SIDE


def _with_radius(targets, radius):
    """Append the distance of neighbors to targets, both (n_samples, ...)."""
    return torch.cat([targets, torch.from_numpy(radius).to(targets)], dim=1)
