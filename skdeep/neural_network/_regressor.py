"""Residual nets that predict numbers."""

from dataclasses import replace
from numbers import Real
from typing import Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from skdeep._preprocessing._linear import LinearScaler
from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.neural_network._base import ResNetMixin
from skdeep.nn import losses
from skdeep.utils._params import param
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import Interval, StrOptions, fit_context

__all__ = ["ResNetRegressor"]

_LOSSES = {
    "squared_error": losses.squared_error,
    "absolute_error": losses.absolute_error,
    "huber": losses.huber,
    "quantile": losses.pinball,
}

# Its square can be summed over any number of rows.
_LARGEST_TARGET = 1e140


class ResNetRegressor(RegressorMixin, ResNetMixin, DeepEstimator):
    """Residual net that predicts numbers, for tables [1]_ and for images [3]_.

    Minimises the mean loss between targets and predictions. Targets are standardised inside, and
    predictions come back in their units.

    Parameters
    ----------
    n_blocks : int, default=2
        Residual blocks; with ``image_shape`` those of each of the three stages.
    loss : {"squared_error", "absolute_error", "huber", "quantile"}, default="squared_error"
        What predictions are the best guess for: the mean, the median, something between them
        (quadratic up to a distance of one standard deviation of the target, linear beyond), or a
        quantile.
    quantile : float, default=None
        The quantile to predict, between 0 and 1; needed for ``loss="quantile"``, unused else.
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
        Turns each number into a learned vector [2]_; needs the package ``rtdl_num_embeddings``
        (``pip install skdeep[embeddings]``). ``"piecewise-linear"`` takes up to 48 bins.
    embedding_dim : int, default=24
        Length of the vectors of numbers and of categories.
    frequency_scale : float, default=0.1
        Standard deviation of the initial frequencies of ``"periodic"``, in scaled units.
    image_shape : (int, int) or (int, int, int), default=None
        ``(height, width)`` or ``(channels, height, width)`` of the image that a row holds, from
        8 x 8 pixels up. Makes the net convolutional [3]_, with three stages of basic blocks; the
        second and the third have half the size and twice the channels.
    stem_width : int, default=16
        Channels of the first stage; only for images.
    augment : {"shift", "shift+flip"} or None, default=None
        Moves each training image by up to a twelfth of its shorter side, at least a pixel, and
        mirrors half of them; only for images.
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
        What NaN among the numbers is: an error, or the feature's mean, with a column of marks for
        each feature that misses values in training.
    refit_full : bool, default=False
        Whether to train anew behind ``early_stopping``, on all rows, from the same seed, for the
        best number of epochs of the same ``lr_schedule``, without the ``callbacks``.
    optimizer : {"adamw", "adam", "sgd"} or torch.optim.Optimizer subclass, default="adamw"
        How gradients become steps; ``"sgd"`` has Nesterov momentum of 0.9. A class is called with
        the parameters, ``lr`` and ``weight_decay``.
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
    max_epochs : int, default=50
        Most passes over the rows.
    batch_size : int, default=256
        Rows per step. With as many rows or fewer, training sees them all at once, and then
        neither their order nor the split of a weight over equal rows matters.
    lr : float, default=1e-3
        Step size of the optimiser, per batch; the largest one of a schedule.
    weight_decay : float, default=1e-5
        Strength of the pull of all weights to zero, decoupled from the gradient for ``"adamw"``.
    lr_schedule : {"constant", "cosine", "onecycle", "plateau"}, default="cosine"
        Step size over training: ``"cosine"`` falls to zero over ``max_epochs``, ``"onecycle"``
        rises first, ``"plateau"`` divides by five when the loss stalls for
        ``n_iter_no_change // 2`` epochs. ``partial_fit`` keeps it constant.
    gradient_clip_value : float, default=None
        Largest norm of the gradient of all weights together; None leaves it as it is.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted state instead of starting anew. Scaling,
        categories, units of the targets, device and random streams stay those of the first fit.
        A pickle holds the state of the optimizer only with it, or after ``partial_fit``.
    callbacks : list of skorch.callbacks.Callback, default=None
        Callbacks of skorch, also as ``(name, callback)``. Its ``EarlyStopping``, and any that
        calls ``net.request_stop()``, ends training behind the present epoch. Callbacks that
        predict, such as ``EpochScoring``, do not work; scikit-learn's go to ``set_callbacks``.
    device : str, torch.device or list of these, default="auto"
        Where to train: ``"auto"`` takes CUDA, then MPS, then the CPU; of a list each worker one.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, split, shuffling, dropout and augmentation. An int gives the same result
        on every call.
    verbose : int, default=0
        0 prints nothing, 1 shows a bar over the epochs, 2 a line for each epoch.

    Attributes
    ----------
    is_categorical_ : ndarray of bool of shape (`n_features_in_`,) or None
        Which features hold categories; None where none does.
    n_iter_ : int
        Number of epochs trained.
    best_epoch_ : int
        Epoch with the lowest loss of the rows held out; only with ``early_stopping``.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch, in units of the standardised targets, mean over
        outputs.
    validation_loss_curve_ : list of float, length n_epochs
        Mean loss of the rows held out, in the training that did so; only with ``early_stopping``.
    history_ : list of dict, length `n_iter_`
        skorch's record of each epoch: losses, seconds.
    device_ : str
        Device the net is on.
    module_ : torch.nn.Module
        The net itself: ``trunk`` and ``head``.
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
    ResNetClassifier : The same net for classes.
    skdeep.ensemble.DeepEnsembleRegressor : The mean over several nets.
    sklearn.neural_network.MLPRegressor : A net without residual blocks.
    sklearn.ensemble.HistGradientBoostingRegressor : Boosted trees.

    References
    ----------
    .. [1] Gorishniy et al. (2021), "Revisiting Deep Learning Models for Tabular Data", NeurIPS.
    .. [2] Gorishniy et al. (2022), "On Embeddings for Numerical Features in Tabular Deep
       Learning", NeurIPS.
    .. [3] He et al. (2016), "Deep Residual Learning for Image Recognition", CVPR.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skdeep.neural_network import ResNetRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = ResNetRegressor(max_epochs=20, random_state=0).fit(X, y)
    >>> reg.predict(X).shape
    (442,)
    """

    loss: str = param(StrOptions(set(_LOSSES)), default="squared_error")
    quantile: float | None = param(Interval(Real, 0, 1, closed="neither"), None, default=None)

    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def partial_fit(self, X, y, sample_weight=None) -> Self:
        """Train the net for one pass over these rows.

        The first call, of ``partial_fit`` or ``fit``, decides scaling, categories and the unit of
        ``y``: its rows must stand for all. Numbers beyond theirs count as their largest or
        smallest one.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows to train on.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the loss.

        Returns
        -------
        self : object
            The estimator, one epoch further.
        """
        self._check_combination()
        return self._partial_fit(X, y, sample_weight)

    @own_settings()
    def predict(self, X) -> np.ndarray:
        """Predict numbers.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs), float64
            Predictions in the units of the targets.
        """
        outputs = self._predict_raw(X)
        y = self._scaler.target.inverse(outputs)
        return y if self._has_many_outputs else y[:, 0]

    def _check_combination(self):
        super()._check_combination()
        if self.loss == "quantile" and self.quantile is None:
            raise ValueError(
                "quantile must be a number between 0 and 1 for loss='quantile'; got None."
            )

    def _check(self, X, y=None, sample_weight=None, *, reset):
        data = super()._check(X, y, sample_weight, reset=reset)
        if y is None:
            return data
        y = self._check_targets(y, data.X)
        has_many_outputs = y.ndim == 2 if reset else self._has_many_outputs
        y = y.reshape(len(y), -1)
        n_outputs = y.shape[1] if reset else len(self._scaler.baseline)
        if y.shape[1] != n_outputs:
            raise ValueError(
                f"y must have {n_outputs} columns, as in the first fit; got {y.shape[1]}. Fit a "
                "clone instead."
            )
        data.attributes["_has_many_outputs"] = has_many_outputs
        return replace(data, y=y)

    def _check_targets(self, y, X):
        """Targets as float64, (n_samples,) or (n_samples, n_outputs)."""
        if np.asarray(y).dtype.kind in "mM":
            raise TypeError(
                "y must hold numbers; got dates or times. Turn them into numbers, such as days "
                "since a date."
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
        scaler.baseline = (0.0,) * data.y.shape[1]
        return scaler

    def _objective(self, phase):
        return Objective(_loss_terms, {"loss": self.loss, "quantile": self.quantile})

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _loss_terms(output, batch, hyperparameters):
    """Loss of each sample by name, (batch,), or its mean."""
    name, quantile = hyperparameters["loss"], hyperparameters["quantile"]
    if name == "squared_error" and batch.weight is None:
        return {name: losses.mean_squared_error(output, batch.y)}
    options = {"quantile": quantile} if name == "quantile" else {}
    return {name: _LOSSES[name](output, batch.y, **options)}
