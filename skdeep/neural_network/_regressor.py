"""Residual nets for regression."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from skdeep._preprocessing._distribution import column_bounds
from skdeep._preprocessing._linear import LinearScaler
from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.neural_network._base import ResNetMixin
from skdeep.neural_network._levels import check_levels, check_request, normal_quantiles, within
from skdeep.nn import losses
from skdeep.nn._regression_heads import POINT_LOSSES, interpolate, make_head
from skdeep.nn._resnet import FROZEN
from skdeep.utils._params import param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import Interval, StrOptions, fit_context

# Its square can be summed over any number of samples.
_LARGEST_TARGET = 1e140


class ResNetRegressor(RegressorMixin, ResNetMixin, DeepEstimator):
    """Residual net regressor, for tables [1]_ and images [3]_.

    Minimizes the mean loss between targets and predictions. Targets are standardized internally,
    and predictions are in the units of the targets.

    Parameters
    ----------
    n_blocks : int, default=1
        Number of residual blocks; with ``image_shape``, in each of the three stages.
    loss : {"squared_error", "absolute_error", "huber", "quantile", "gaussian"}, \
            default="squared_error"
        Loss, and thereby what is predicted: the mean, the median, something between them (Huber
        loss, quadratic up to a distance of one standard deviation of the target and linear beyond),
        quantiles, or the mean and standard deviation of a normal distribution for each sample
        (``"gaussian"``, the negative log-likelihood [4]_ with the gradient of [5]_).
    quantile : float or array-like of shape (n_quantiles,), default=None
        The quantile to predict, between 0 and 1, or several ones in increasing order, which are
        predicted by one net and never cross. Required if ``loss="quantile"``, else ignored.
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
    lr : float, default=3e-3
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
    is_categorical_ : ndarray of bool of shape (`n_features_in_`,) or None
        Mask of the categorical features; None if there are none.
    n_iter_ : int
        Number of epochs trained.
    best_epoch_ : int
        Epoch with the lowest validation loss, before a refit. Only available if samples were
        held out.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch, averaged over outputs and quantiles, in units of the
        standardized targets; for ``loss="gaussian"`` the negative log-likelihood in nats.
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
    ResNetClassifier : The same net for classification.
    skdeep.ensemble.DeepEnsembleRegressor : Average of the predictions of several nets, with
        standard deviations.
    sklearn.neural_network.MLPRegressor : A multilayer perceptron.
    sklearn.ensemble.HistGradientBoostingRegressor : Gradient boosted trees.

    Notes
    -----
    ``feature_scaling="auto"`` is ``"robust"`` [6]_ for dense tables, ``"standard"`` for sparse ones
    and ``"global"`` for images. ``"global"`` subtracts the mean of each feature and divides all
    features by one number.

    Categorical features are embedded as learned vectors. Categories that are missing, or were not
    seen during ``fit``, are embedded as the mean of all. With
    ``categorical_features="from_dtype"``, a column of strings that are nearly all different is an
    error; name it in ``categorical_features`` or give it a categorical dtype if it is one.

    ``pretrained`` must be frozen, since a clone of it would no longer be fitted. To pretrain within
    ``fit``, for example in each split of a cross-validation, use
    :class:`~skdeep.semi_supervised.ClusterPretrainedRegressor`. The learning rate schedule covers
    all epochs, frozen or not.

    Several quantiles are the middle one and the distances between neighbors, which the net maps to
    positive numbers. Predicted standard deviations are at least a thousandth of the standard
    deviation of the training targets. For several outputs, quantiles and standard deviations are
    those of each output, without correlations between outputs. They describe the noise of the
    targets, as the net has learned it from its training samples, but not the uncertainty about the
    net itself; check their coverage on held-out samples.

    With ``image_shape``, the net has three stages of basic blocks [3]_. The second and the third
    have half the height and width, and twice the channels, of the stage before.

    References
    ----------
    .. [1] Gorishniy et al. (2021), "Revisiting Deep Learning Models for Tabular Data", NeurIPS.
    .. [2] Gorishniy et al. (2022), "On Embeddings for Numerical Features in Tabular Deep
       Learning", NeurIPS.
    .. [3] He et al. (2016), "Deep Residual Learning for Image Recognition", CVPR.
    .. [4] Nix and Weigend (1994), "Estimating the Mean and Variance of the Target Probability
       Distribution", ICNN.
    .. [5] Seitzer et al. (2022), "On the Pitfalls of Heteroscedastic Uncertainty Estimation with
       Probabilistic Neural Networks", ICLR.
    .. [6] Holzmüller et al. (2024), "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on
       Tabular Data", NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skdeep.neural_network import ResNetRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = ResNetRegressor(max_epochs=20, random_state=0).fit(X, y)
    >>> reg.predict(X).shape
    (442,)

    Intervals from quantiles, or from a normal distribution for each sample:

    >>> net = ResNetRegressor(max_epochs=5, loss="quantile", quantile=[0.05, 0.5, 0.95])
    >>> low, high = net.fit(X, y).predict(X, quantiles=[0.05, 0.95]).T
    >>> net = ResNetRegressor(max_epochs=5, loss="gaussian", random_state=0)
    >>> mean, std = net.fit(X, y).predict(X, return_std=True)
    >>> std.shape
    (442,)
    """

    lr: float = param(default=3e-3)
    loss: str = param(StrOptions({"gaussian", *POINT_LOSSES}), default="squared_error", data=True)
    quantile: float | Sequence[float] | None = param(
        Interval(Real, 0, 1, closed="neither"), "array-like", None, default=None, data=True
    )

    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def partial_fit(self, X, y, sample_weight=None) -> Self:
        """Train the net for one epoch on these samples.

        The first call of ``partial_fit`` or ``fit`` determines feature scaling, categories and
        target scaling. Its samples must be representative of all: with quantile scaling, later
        values outside the range of its features are clipped to that range.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._partial_fit(X, y, sample_weight)

    @own_settings()
    def predict(
        self, X, return_std=False, quantiles=None
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predict targets, and optionally their standard deviation or quantiles.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Samples to predict for.
        return_std : bool, default=False
            Whether to return the standard deviation of the targets as well. Requires
            ``loss="gaussian"``.
        quantiles : array-like of shape (n_quantiles,), default=None
            If given, these quantiles of the targets are returned instead. With ``loss="quantile"``,
            they must be within the range of the parameter ``quantile``; between its values, they
            are interpolated. With ``loss="gaussian"``, they may be any numbers between 0 and 1.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs), float64
            Predictions in the units of the targets: the mean with ``loss="gaussian"``, the median,
            or the fitted quantile closest to it, with ``loss="quantile"``. If ``quantiles`` are
            given, the shape is (n_samples, n_quantiles) or (n_samples, n_outputs, n_quantiles).
        std : ndarray of shape (n_samples,) or (n_samples, n_outputs), float64
            Standard deviation. Only returned if ``return_std=True``.
        """
        check_request(return_std, quantiles)
        results = self._predict_results(X)
        head = self._head
        if return_std and not head.has_std:
            raise ValueError(
                "return_std=True requires loss='gaussian'; got a net that was fitted with "
                f"loss={self._fitted_loss!r}. Fit with loss='gaussian', or use "
                "DeepEnsembleRegressor for the standard deviation between nets."
            )
        if quantiles is not None:
            return self._like_targets(self._quantiles(head, results, quantiles))
        y = self._like_targets(head.point(results))
        return (y, self._like_targets(results[..., 1])) if return_std else y

    def _predict_results(self, X):
        """Return the results of the head in the units of the targets, float64.

        Their shape is (n_samples, n_outputs, width).
        """
        X = self._check_new(X)
        head, target = self._head, self._scaler.target
        results = self._apply(lambda x: head.results(self.module_(x)).flatten(1), X)
        results = results.astype(np.float64, copy=False)
        results = results.reshape(len(results), -1, head.width) * target.scale[:, np.newaxis]
        shifted = slice(1) if head.has_std else slice(None)
        results[..., shifted] += target.mean[:, np.newaxis]
        return results

    def _quantiles(self, head, results, levels):
        """Return quantiles of the targets, (n_samples, n_outputs, n_quantiles)."""
        levels = check_levels("quantiles", levels)
        if head.has_std:
            return normal_quantiles(results[..., 0], results[..., 1], levels)
        if head.levels is None:
            raise ValueError(
                "quantiles require loss='quantile' or loss='gaussian'; got a net that was fitted "
                f"with loss={self._fitted_loss!r}."
            )
        found = [interpolate(results, head.levels, within(head.levels, one)) for one in levels]
        return np.stack(found, axis=-1)

    def _like_targets(self, array):
        """Return results, (n_samples, n_outputs, ...), without the axis of a single target."""
        return array if self._has_many_outputs else array[:, 0]

    @property
    def _fitted_loss(self):
        return self._net_options["hyperparameters"]["loss"]

    @property
    def _has_std(self):
        """Whether the fitted net predicts standard deviations."""
        return self._head.has_std

    @property
    def _head(self):
        """Head of the fitted net, which gives its outputs a meaning."""
        return make_head(self._net_options["hyperparameters"])

    def _check_combination(self):
        super()._check_combination()
        if self.loss != "quantile":
            return
        if self.quantile is None:
            raise ValueError(
                "quantile must be a number between 0 and 1, or an increasing sequence of them, for "
                "loss='quantile'; got None."
            )
        if not isinstance(self.quantile, Real):
            check_levels("quantile", self.quantile, increasing=True)

    def _check(self, X, y=None, sample_weight=None, *, reset):
        data = super()._check(X, y, sample_weight, reset=reset)
        if y is None:
            return data
        y = self._check_targets(y, data.X)
        has_many_outputs = y.ndim == 2 if reset else self._has_many_outputs
        y = y.reshape(len(y), -1)
        n_outputs = y.shape[1] if reset else self._scaler.target.n_features
        if y.shape[1] != n_outputs:
            raise ValueError(
                f"y must have {n_outputs} columns, as in the first fit; got {y.shape[1]}. Fit a "
                "clone instead."
            )
        if not reset:
            self._check_same_head()
        data.attributes["_has_many_outputs"] = has_many_outputs
        return replace(data, y=y)

    def _check_same_head(self):
        """Raise ``ValueError`` if training cannot continue with the present loss."""
        old, new = self._head, make_head(self._hyperparameters())
        if (old.width, old.has_std) != (new.width, new.has_std):
            fitted = self._net_options["hyperparameters"]
            raise ValueError(
                "warm_start and partial_fit require a loss for the same number of outputs as in "
                f"the last fit, loss={fitted['loss']!r} with quantile={fitted['quantile']}; got "
                f"loss={self.loss!r} with quantile={self.quantile}. Fit a clone instead."
            )

    def _check_targets(self, y, X):
        """Targets as float64, (n_samples,) or (n_samples, n_outputs)."""
        if np.asarray(y).dtype.kind in "mM":
            raise TypeError(
                "y must be numeric; got dates or times. Convert them to numbers, for example the "
                "number of days since some date."
            )
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y", estimator=self)
        y = column_or_1d(y, warn=True) if y.ndim == 1 or y.shape[1] == 1 else y
        check_consistent_length(X, y)
        if np.abs(y).max() > _LARGEST_TARGET:
            raise ValueError(
                f"y must be within {_LARGEST_TARGET:g}; got values up to {np.abs(y).max():g}. "
                "Divide y by a constant."
            )
        return y

    def _fit_scaler(self, data, rng):
        scaler = super()._fit_scaler(data, rng)
        scaler.target = LinearScaler.fit(data.y, data.weight, scaling="standard")
        head = make_head(self._hyperparameters())
        low, high = column_bounds(data.y, data.weight)
        starts = [head.baseline(is_constant=is_constant) for is_constant in low == high]
        scaler.baseline = tuple(itertools.chain.from_iterable(starts))
        return scaler

    def _hyperparameters(self):
        """Loss and quantile as plain values; None for a quantile that is ignored."""
        quantile = self.quantile if self.loss == "quantile" else None
        if quantile is not None:
            is_number = isinstance(quantile, Real)
            quantile = float(quantile) if is_number else check_levels("quantile", quantile)
        return {"loss": self.loss, "quantile": quantile}

    def _objective(self, phase):
        return Objective(_loss_terms, self._hyperparameters(), is_stackable=phase != FROZEN)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _loss_terms(output, batch, hyperparameters):
    """Loss of each sample by name, (batch,), or its mean."""
    name = hyperparameters["loss"]
    if name == "squared_error" and batch.weight is None:
        return {name: losses.mean_squared_error(output, batch.y)}
    return {name: make_head(hyperparameters).loss(output, batch.y)}
