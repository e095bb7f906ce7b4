"""Residual nets for classification."""

from typing import Self

import numpy as np
from sklearn.base import ClassifierMixin

from skdeep._fit_data import Data
from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.neural_network import _labels
from skdeep.neural_network._base import ResNetMixin
from skdeep.nn import losses
from skdeep.nn._resnet import FROZEN
from skdeep.utils._labels import encode_labels, match_classes
from skdeep.utils._params import BELOW_ONE, param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import StrOptions, fit_context


class ResNetClassifier(ClassifierMixin, ResNetMixin, DeepEstimator):
    """Residual net classifier, for tables [1]_ and images [3]_.

    Minimizes the mean cross-entropy of labels and predicted probabilities. For multilabel targets,
    it is averaged over the labels.

    Parameters
    ----------
    n_blocks : int, default=1
        Number of residual blocks; with ``image_shape``, in each of the three stages.
    label_smoothing : float, default=0.1
        Fraction of each label that is distributed evenly over all classes.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, multiplied with ``sample_weight``. Not supported for
        multilabel targets.
    width : int, default=192
        Number of units between the blocks, and the dimension of what ``embed`` returns. Ignored for
        images.
    hidden_factor : float, default=2.0
        Number of hidden units in a block, as a multiple of ``width``. Ignored for images.
    dropout : float, default=0.15
        Fraction of the hidden units in a block that are set to zero during training.
    residual_dropout : float, default=0.0
        Fraction of the entries of a block's output that are set to zero during training, before it
        is added to its input.
    norm : {"auto", "batch", "layer"} or None, default="auto"
        Normalization layer before each block, or for images after each convolution. ``"auto"`` is
        None for tables and ``"batch"`` for images, which need one.
    activation : str, default="relu"
        Activation function of the hidden layers: ``"identity"``, ``"relu"``, ``"leaky_relu"``,
        ``"elu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"logistic"``.
    numerical_embedding : {"auto", "periodic", "piecewise-linear"} or None, default="auto"
        Embedding of each numerical feature as a learned vector [2]_, in addition to the feature
        itself. ``"piecewise-linear"`` uses up to 48 bins per feature, or up to 128 for 2,500 or
        more distinct samples. ``"auto"`` is ``"piecewise-linear"`` for dense tables of at most 256
        features, else None.
    embedding_dim : int, default=8
        Dimension of the embedding of each categorical feature, and of numerical ones that have one.
    frequency_scale : float, default=0.1
        Standard deviation of the initial frequencies of ``"periodic"`` embeddings, for scaled
        features.
    image_shape : (int, int) or (int, int, int), default=None
        ``(height, width)`` or ``(channels, height, width)`` of the image that each sample contains,
        at least 8 x 8 pixels. If given, the net is convolutional.
    stem_width : int, default=16
        Number of channels in the first stage. Only used for images.
    augment : {"affine", "shift", "shift+flip"} or None, default=None
        Data augmentation: ``"shift"`` shifts each training image by up to a twelfth of its
        shorter side, but at least by up to one pixel; ``"shift+flip"`` also mirrors half of
        them; ``"affine"`` rotates, stretches, shears and shifts them. Only for images.
    categorical_features : "from_dtype" or array-like of shape (n,) or None, default="from_dtype"
        Categorical features: a boolean mask, indices or names. ``"from_dtype"`` selects the columns
        of a dataframe that have a categorical dtype or contain only strings. See Notes for how
        categories are treated.
    feature_scaling : {"auto", "robust", "quantile", "standard", "global"} or None, default="auto"
        Scaling of the numerical features: ``"robust"`` by median and interquartile range, with
        outliers compressed; ``"standard"`` to zero mean and unit variance; ``"quantile"`` to a
        standard normal distribution, by ranks; or all features by one common factor, which suits
        images, see Notes. None leaves them unscaled. ``"auto"`` depends on the data, see Notes.
    missing : {"error", "indicator"}, default="error"
        How to treat NaN in numerical features: raise an error, or impute the median (or the mean,
        for other than robust scaling) and add a missing indicator for each feature that has missing
        values in training.
    refit_full : bool, default=True
        Whether to train again after ``early_stopping``, from scratch and with the same seed, on all
        samples, for the best number of epochs of the same ``lr_schedule``: with ``"coslog4"``, of
        those that end a cycle. The second training ignores ``callbacks``. No effect without
        held-out samples or with ``warm_start``.
    pretrained : sklearn.frozen.FrozenEstimator or None, default=None
        A fitted estimator to start from: ``FrozenEstimator(estimator)``, where the estimator is a
        residual net for any targets, an autoencoder or a clusterer of skdeep. It is not changed.
        The trunk of the residual net, or the encoder, becomes the trunk of the net, with its
        weights and its scaling of the features, and gets a new head. Parameters that describe
        layers and features are ignored, except ``augment`` and, for residual nets, ``dropout`` and
        ``residual_dropout``. See Notes.
    freeze_epochs : int, default=0
        Number of epochs at the beginning in which only the head is trained, without augmentation,
        while the trunk with its batch statistics stays as it is. They count towards ``max_epochs``,
        but not for early stopping if others follow. Only used with ``pretrained``.
    trunk_lr : float, default=None
        Learning rate of the trunk, usually lower than that of the head. None for ``lr``. Only used
        with ``pretrained``.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out a validation set, stratified by class for classifiers, to stop training
        when its loss stops improving, and to keep the weights of the best epoch. ``"auto"`` does so
        in ``fit`` for tables of at least 200 samples, but not with ``warm_start`` or
        ``pretrained``, nor in a halving search over ``max_epochs``.
    validation_fraction : float, default=0.15
        Fraction of the training samples that are held out as the validation set by
        ``early_stopping``.
    n_iter_no_change : int, default=40
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
    max_epochs : int, default=64
        Maximum number of epochs.
    batch_size : int, default=256
        Maximum number of samples per mini-batch. The batches of an epoch differ in size by at most
        one sample. If there are no more samples than that, including held-out ones, each epoch is a
        single batch, and the result depends neither on the order of the samples nor on whether a
        sample appears twice or has twice the weight.
    lr : float, default=1.5e-3
        Learning rate of the optimizer; with a schedule, its maximum.
    weight_decay : float, default=1e-2
        Weight decay, for all weights; AdamW applies it decoupled from the gradient.
    lr_schedule : {"constant", "coslog4", "cosine", "onecycle", "plateau"}, default="coslog4"
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
        Class labels; for multilabel targets the column indices.
    is_categorical_ : ndarray of bool of shape (`n_features_in_`,) or None
        Mask of the categorical features; None if there are none.
    n_iter_ : int
        Number of epochs trained.
    best_epoch_ : int
        Epoch with the lowest validation loss, before a refit. Only available if samples were
        held out.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch: cross-entropy in nats, averaged over the labels for
        multilabel targets.
    validation_loss_curve_ : list of float, length n_epochs
        Mean loss of the validation set in each epoch of the training that had one. Only available
        if ``early_stopping=True``.
    history_ : list of dict, length `n_iter_`
        Record of each epoch in skorch's format: losses and seconds.
    device_ : str
        Device that the net is on.
    module_ : torch.nn.Module
        The net itself, with the submodules ``trunk`` and ``head``.
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
    ResNetRegressor : The same net for regression.
    skdeep.ensemble.DeepEnsembleClassifier : Average of the predictions of several nets.
    sklearn.neural_network.MLPClassifier : A multilayer perceptron.
    sklearn.ensemble.HistGradientBoostingClassifier : Gradient boosted trees.

    Notes
    -----
    ``feature_scaling="auto"`` is ``"robust"`` [4]_ for dense tables, ``"standard"`` for sparse ones
    and ``"global"`` for images. ``"global"`` subtracts the mean of each feature and divides all
    features by one number.

    Categorical features are embedded as learned vectors. Categories that are missing, or were not
    seen during ``fit``, are embedded as the mean of all. With
    ``categorical_features="from_dtype"``, a column of strings that are nearly all different is an
    error; name it in ``categorical_features`` or give it a categorical dtype if it is one.

    ``pretrained`` must be frozen, since a clone of it would no longer be fitted. To pretrain within
    ``fit``, for example in each split of a cross-validation, use
    :class:`~skdeep.semi_supervised.ClusterPretrainedClassifier`. The learning rate schedule covers
    all epochs, frozen or not.

    With ``image_shape``, the net has three stages of basic blocks [3]_. The second and the third
    have half the height and width, and twice the channels, of the stage before.

    References
    ----------
    .. [1] Gorishniy et al. (2021), "Revisiting Deep Learning Models for Tabular Data", NeurIPS.
    .. [2] Gorishniy et al. (2022), "On Embeddings for Numerical Features in Tabular Deep
       Learning", NeurIPS.
    .. [3] He et al. (2016), "Deep Residual Learning for Image Recognition", CVPR.
    .. [4] Holzmüller et al. (2024), "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on
       Tabular Data", NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.neural_network import ResNetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = ResNetClassifier(max_epochs=20, random_state=0).fit(X, y)
    >>> clf.predict_proba(X).shape
    (150, 3)
    >>> clf.embed(X).shape
    (150, 192)
    """

    label_smoothing: float = param(BELOW_ONE, default=0.1)
    lr: float = param(default=1.5e-3)
    class_weight: str | dict | None = param(
        StrOptions({"balanced"}), dict, None, default=None, data=True
    )

    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def partial_fit(self, X, y, classes=None, sample_weight=None) -> Self:
        """Train the net for one epoch on these samples.

        The first call of ``partial_fit`` or ``fit`` determines feature scaling, categories and
        classes. Its samples must be representative of all.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels.
        classes : array-like of shape (n_classes,), default=None
            All class labels that later calls may contain. None for those of the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        classes = _labels.announce(classes, vars(self).get("classes_"))
        return self._partial_fit(X, y, sample_weight, classes=classes)

    @own_settings()
    def predict(self, X) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The most probable class of each sample. For multilabel targets, 1 for each label with a
            probability above one half, else 0.
        """
        return _labels.decide(self._predict_raw(X), self._target_kind, self.classes_)

    @own_settings()
    def predict_proba(self, X) -> np.ndarray:
        """Predict class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes), float64
            Probabilities in the order of ``classes_``. They sum to one for each sample, except for
            multilabel targets.
        """
        return _labels.probabilities(self._predict_raw(X), self._target_kind)

    @own_settings()
    def predict_log_proba(self, X) -> np.ndarray:
        """Predict logarithms of class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        log_probability : ndarray of shape (n_samples, n_classes), float64
            Natural logarithm of the probabilities, finite even if a probability is rounded to zero.
        """
        return _labels.probabilities(self._predict_raw(X), self._target_kind, logarithm=True)

    @own_settings()
    def decision_function(self, X) -> np.ndarray:
        """Predict logits.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to classify.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes), float64
            Logits. With two classes, the log-odds of ``classes_[1]``.
        """
        outputs = self._predict_raw(X)
        return outputs[:, 0] if self._target_kind == "binary" else outputs

    def _check(self, X, y=None, sample_weight=None, *, reset, classes=None):
        data = super()._check(X, y, sample_weight, reset=reset)
        if y is None:
            return data
        labels, codes = encode_labels(y, data.X)
        known = classes if reset else self.classes_
        if codes.ndim == 1 and known is not None:
            labels, codes = known, match_classes(labels, codes, known)
        kind = _labels.kind_of_target(labels, codes)
        if not reset and (kind != self._target_kind or len(labels) != len(self.classes_)):
            raise ValueError(
                f"y must be of the same kind as in the first fit, {self._target_kind} with "
                f"{len(self.classes_)} labels; got {kind} with {len(labels)}. Fit a clone instead."
            )
        weight = data.weight
        if self.class_weight is not None:
            weight = _labels.class_weights(codes, self.class_weight, labels, weight)
        attributes = {"classes_": labels if reset else self.classes_, "_target_kind": kind}
        return Data(
            data.X,
            y=_labels.as_targets(codes, kind),
            weight=weight,
            strata=np.unique(codes, axis=0, return_inverse=True)[1].ravel(),
            attributes=data.attributes | attributes,
        )

    def _fit_scaler(self, data, rng):
        scaler = super()._fit_scaler(data, rng)
        kind, classes = data.attributes["_target_kind"], data.attributes["classes_"]
        scaler.baseline = _labels.log_odds(data.y, data.weight, kind, len(classes))
        return scaler

    def _objective(self, phase):
        hyperparameters = {"label_smoothing": float(self.label_smoothing)}
        return Objective(_loss_terms, hyperparameters, is_stackable=phase != FROZEN)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _loss_terms(output, batch, hyperparameters):
    """Loss of each sample by name, (batch,)."""
    smoothing = hyperparameters["label_smoothing"]
    if not batch.y.is_floating_point():
        return {"cross_entropy": losses.cross_entropy(output, batch.y, smoothing)}
    target = batch.y * (1 - smoothing) + smoothing / 2 if smoothing else batch.y
    return {"cross_entropy": losses.binary_cross_entropy(output, target)}
