"""Residual nets that tell classes apart."""

from numbers import Real
from typing import Self

import numpy as np
from sklearn.base import ClassifierMixin

from skdeep._fit_data import Data
from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.neural_network import _labels
from skdeep.neural_network._base import ResNetMixin
from skdeep.nn import losses
from skdeep.utils._labels import encode_labels, match_classes
from skdeep.utils._params import param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import Interval, StrOptions, fit_context

__all__ = ["ResNetClassifier"]


class ResNetClassifier(ClassifierMixin, ResNetMixin, DeepEstimator):
    """Residual net that predicts classes, for tables [1]_ and for images [3]_.

    Minimises the mean cross-entropy between labels and probabilities.

    Parameters
    ----------
    n_blocks : int, default=2
        Residual blocks; with ``image_shape`` those of each of the three stages.
    label_smoothing : float, default=0.0
        Share of each label that goes to all classes alike.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, on top of ``sample_weight``. Not for multilabel targets.
    width : int, default=192
        Width of the rows between blocks and of what ``embed`` gives; not used for images.
    hidden_factor : float, default=2.0
        Width inside a block, in multiples of ``width``; not used for images.
    dropout : float, default=0.15
        Share of the entries inside a block that training zeroes.
    residual_dropout : float, default=0.0
        Share of the entries that a block adds which training zeroes.
    norm : {"batch", "layer"}, default="batch"
        Normalisation in front of each block, for images behind each convolution.
    activation : str, default="relu"
        Function between layers: ``"identity"``, ``"relu"``, ``"leaky_relu"``, ``"elu"``,
        ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"logistic"``.
    numerical_embedding : {"periodic", "piecewise-linear"} or None, default=None
        Turns each number into a learned vector [2]_; needs ``pip install skdeep[embeddings]``.
    embedding_dim : int, default=24
        Length of the vectors of numbers and of categories.
    frequency_scale : float, default=0.1
        Standard deviation of the initial frequencies of ``"periodic"``, in scaled units.
    image_shape : (int, int) or (int, int, int), default=None
        ``(height, width)`` or ``(channels, height, width)`` of the image that a row holds, from
        8 x 8 pixels up. Makes the net convolutional [3]_, with three stages of basic blocks.
    stem_width : int, default=16
        Channels of the first stage; for images.
    augment : {"shift", "shift+flip"} or None, default=None
        Moves training images by up to a twelfth of their shorter side, and mirrors half of them.
    categorical_features : "from_dtype" or array-like of shape (n,) or None, default="from_dtype"
        Features that hold categories, which get learned vectors: columns of a dataframe that have
        a categorical dtype or hold only strings, with ``"from_dtype"``; or a mask, indices or
        names. A category that is missing or new counts as the mean of all. A column of nearly as
        many different strings as rows is an error, unless it is named or has a categorical dtype.
    feature_scaling : {"auto", "quantile", "standard", "global"} or None, default="auto"
        What the net sees of numbers: ranks, mapped to a standard normal distribution; distances
        from the mean in standard deviations, or in one unit for all. ``"auto"`` is ``"quantile"``
        for tables, ``"standard"`` for sparse ones and ``"global"`` for images.
    missing : {"error", "indicator"}, default="error"
        What NaN among the numbers is: an error, or the feature's mean, with a column of marks.
    refit_full : bool, default=False
        Whether to train anew behind ``early_stopping``, on all rows, for the best number of
        epochs of the same ``lr_schedule``, without the ``callbacks``.
    optimizer : {"adamw", "adam", "sgd"} or torch.optim.Optimizer subclass, default="adamw"
        ``"sgd"`` has Nesterov momentum of 0.9; a class gets weights, ``lr`` and ``weight_decay``.
    early_stopping : bool, default=False
        Whether to hold rows out, of each class its share, and to take the best epoch for them.
    validation_fraction : float, default=0.1
        Share of rows held out for ``early_stopping``.
    n_iter_no_change : int, default=10
        Training stops when the loss, of rows held out if there are some, has not fallen by
        ``tol`` for more than so many epochs in a row.
    tol : float, default=1e-4
        Fall of ``loss_curve_`` that counts as one.
    precision : {"float32", "bf16-mixed"}, default="float32"
        Arithmetic of training; ``"bf16-mixed"`` pays on recent GPUs.
    compile : bool, default=False
        Whether to train through ``torch.compile``, which pays for large nets on GPUs.
    max_epochs : int, default=50
        Most passes over the rows.
    batch_size : int, default=256
        Rows per step. Where there are as many or fewer, training sees them all at once.
    lr : float, default=1e-3
        Step size of the optimiser, per batch; the largest one of a schedule.
    weight_decay : float, default=1e-5
        Strength of the pull of all weights to zero, decoupled from the gradient for ``"adamw"``.
    lr_schedule : {"constant", "cosine", "onecycle", "plateau"}, default="cosine"
        ``"cosine"`` falls to zero over ``max_epochs``, ``"onecycle"`` rises first, ``"plateau"``
        divides by five when the loss stalls for ``n_iter_no_change // 2`` epochs.
    gradient_clip_value : float, default=None
        Largest norm of the gradient of all weights together; None leaves it as it is.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted state. Scaling, classes and device stay.
        A pickle holds the state of the optimizer only with it, or after ``partial_fit``.
    callbacks : list of skorch.callbacks.Callback, default=None
        Callbacks of skorch, but none that predict. scikit-learn's go to ``set_callbacks``.
    device : str, torch.device or list of these, default="auto"
        Where to train: ``"auto"`` takes CUDA, MPS or the CPU; of a list each worker one.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, split, shuffling, dropout, augmentation; an int repeats the same result.
    verbose : int, default=0
        0 prints nothing, 1 shows a bar over the epochs, 2 a line for each epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels; for multilabel targets the numbers of the columns.
    is_categorical_ : ndarray of bool of shape (`n_features_in_`,) or None
        Which features hold categories.
    n_iter_ : int
        Epochs trained.
    best_epoch_ : int
        Epoch with the lowest loss of the rows held out; only with ``early_stopping``.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch: cross-entropy in nats, mean over labels if several.
    validation_loss_curve_ : list of float, length n_epochs
        Mean loss of the rows held out, in the training that did so; only with ``early_stopping``.
    history_ : list of dict, length `n_iter_`
        Record of each epoch.
    device_ : str
        Device the net is on.
    module_ : torch.nn.Module
        The net itself: ``trunk`` and ``head``.
    net_ : skorch.NeuralNet
        What trained it, on scaled rows.
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
    ResNetRegressor : The same net for numbers.
    skdeep.ensemble.DeepEnsembleClassifier : The mean over several nets.
    sklearn.neural_network.MLPClassifier : A net without residual blocks.
    sklearn.ensemble.HistGradientBoostingClassifier : Boosted trees.

    References
    ----------
    .. [1] Gorishniy et al. (2021), "Revisiting Deep Learning Models for Tabular Data", NeurIPS.
    .. [2] Gorishniy et al. (2022), "On Embeddings for Numerical Features in Tabular Deep
       Learning", NeurIPS.
    .. [3] He et al. (2016), "Deep Residual Learning for Image Recognition", CVPR.

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

    label_smoothing: float = param(Interval(Real, 0, 1, closed="left"), default=0.0)
    class_weight: str | dict | None = param(
        StrOptions({"balanced"}), dict, None, default=None, data=True
    )

    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def partial_fit(self, X, y, classes=None, sample_weight=None) -> Self:
        """Train the net for one pass over these rows.

        The first call decides scaling, categories and classes: its rows must stand for all.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows to train on.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; those of the first call for None.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the loss.

        Returns
        -------
        self : object
            The estimator, one epoch further.
        """
        self._check_combination()
        classes = _labels.announce(classes, vars(self).get("classes_"))
        return self._partial_fit(X, y, sample_weight, classes=classes)

    @own_settings()
    def predict(self, X) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The most probable class; for multilabel targets 1 where a label is likely.
        """
        return _labels.decide(self._predict_raw(X), self._target_kind, self.classes_)

    @own_settings()
    def predict_proba(self, X) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes), float64
            In the order of ``classes_``; rows sum to one, except for multilabel targets.
        """
        return _labels.probabilities(self._predict_raw(X), self._target_kind)

    @own_settings()
    def predict_log_proba(self, X) -> np.ndarray:
        """Predict logarithms of probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        log_probability : ndarray of shape (n_samples, n_classes), float64
            Natural logarithm of ``predict_proba``, also where that rounds to zero.
        """
        return _labels.probabilities(self._predict_raw(X), self._target_kind, logarithm=True)

    @own_settings()
    def decision_function(self, X) -> np.ndarray:
        """Predict log-odds, or what stands for them with several classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes), float64
            Logits. Two classes have one, which is positive for ``classes_[1]``.
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
                f"y must be of the kind that the first fit saw, {self._target_kind} with "
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
        return Objective(_loss_terms, {"label_smoothing": float(self.label_smoothing)})

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
