"""Imputation by an autoencoder that is trained to predict hidden entries."""

import sys
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from skdeep._gradient_descent import GradientDescentMixin
from skdeep._preprocessing._completion import to_container
from skdeep._training._callbacks import EarlyStopping
from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.impute._base import ImputerMixin
from skdeep.impute._draws import draw_entries, most_frequent
from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._imputer import ImputerNet, loss_terms
from skdeep.utils._params import BELOW_ONE, POSITIVE_INTEGER, param
from skdeep.utils._random import draw_seed, numpy_generator
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import StrOptions, fit_context, output_container, with_callbacks
from skdeep.utils._validation import check_layer_sizes, check_n_samples, check_weights


class AutoencoderImputer(ImputerMixin, GradientDescentMixin, DeepEstimator):
    """Imputation of missing values by an autoencoder that predicts hidden entries.

    A single net predicts all features from those that are observed. In each step of training it
    sees random subsets of the observed entries, and minimizes the error of the others [1]_ [2]_:
    the squared error of numbers, in units of their variance, and the cross-entropy of categories.
    Numbers are first predicted by the conditional means of a normal distribution that is fitted by
    expectation maximization [3]_, and the net learns a correction. ``transform`` replaces missing
    entries by predictions and leaves all others as they are.

    Parameters
    ----------
    missing_values : int, float, str, None or np.nan, default=nan
        Marker of missing entries. NaN, None and ``pandas.NA`` match each other. A number marks
        missing entries of all features, a string those of categorical features; then NaN is an
        error in numerical features, and is also missing in categorical ones.
    sample_posterior : bool, default=False
        Whether to draw missing entries from their predicted distribution, given the observed
        entries, instead of predicting their mean or the most probable category. Several draws,
        from ``draw_imputations``, tell how uncertain the results of an analysis are.
    n_imputations : int, default=1
        Number of draws for ``sample_posterior=True``. ``transform`` returns the mean of their
        numbers, and the most frequent of their categories.
    hidden_layer_sizes : int or tuple of int, default=(256, 256)
        Number of units in each hidden layer, each of which is followed by a residual block. ``()``
        makes predictions linear.
    activation : str, default="relu"
        Activation function of the hidden layers: ``"identity"``, ``"relu"``, ``"leaky_relu"``,
        ``"elu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"logistic"``.
    dropout : float, default=0.5
        Fraction of the hidden units that are set to zero during training; in a GAN, of those of the
        critic.
    embedding_dim : int, default=8
        Dimension of the embedding of each categorical feature, and of numerical ones that have one.
    add_indicator : bool, default=False
        Whether to append an indicator for each feature that has missing entries in the training
        samples, as :class:`sklearn.impute.MissingIndicator` returns it.
    keep_empty_features : bool, default=False
        Whether to keep features without an observed entry in the training samples. Their missing
        numbers are replaced by zero, as by :class:`sklearn.impute.SimpleImputer`, while missing
        categories stay as they are. If False, these features are dropped, with a warning.
    categorical_features : "from_dtype" or array-like of shape (n,) or None, default="from_dtype"
        Categorical features: a boolean mask, indices or names. ``"from_dtype"`` selects the columns
        of a dataframe that have a categorical dtype or contain only strings. See Notes for how
        categories are treated.
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
    lr : float, default=2e-3
        Learning rate of the optimizer; with a schedule, its maximum.
    weight_decay : float, default=0.1
        Weight decay, for all weights; AdamW applies it decoupled from the gradient.
    lr_schedule : {"constant", "coslog4", "cosine", "onecycle", "plateau"}, default="cosine"
        Learning rate schedule. ``"cosine"`` decreases the learning rate to zero over
        ``max_epochs``; ``"onecycle"`` increases it first; ``"coslog4"`` does so in four cycles,
        each twice as long as the one before; ``"plateau"`` divides it by five whenever the loss has
        not improved for ``n_iter_no_change // 2`` epochs. GANs have neither of the last two.
        ``partial_fit`` always uses a constant learning rate.
    gradient_clip_value : float, default=1.0
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
    is_categorical_ : ndarray of bool of shape (`n_features_in_`,)
        Mask of the categorical features; None if there are none.
    n_iter_ : int
        Number of epochs trained.
    best_epoch_ : int
        Epoch with the lowest validation loss. Only available if ``early_stopping=True``.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch, per hidden entry: the squared error of a number, in units
        of its variance, plus the negative log-likelihood of the error, or the cross-entropy of a
        category.
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
        From ``fit``, if the loss or a weight stops being finite.

    See Also
    --------
    sklearn.impute.IterativeImputer : Predicts each feature from all others, in turn.
    sklearn.impute.KNNImputer : Imputes the mean of near neighbors.
    skdeep.neural_network.ResNetClassifier : Needs no imputation with ``missing="indicator"``.

    Notes
    -----
    The mean probability that an entry is hidden is uniform between 0.05 and 0.5 for each sample in
    each step. It is distributed over the features in proportion to their fractions of missing
    entries, where those below 0.1 count as 0.1.

    Imputed categories are categories of the training samples. Other categories of new samples are
    kept, and ignored by the predictions for the rest of the sample. Without ``early_stopping``, the
    number of epochs is always ``max_epochs``: each epoch hides other entries, so that training
    losses cannot be compared.

    The normal distribution is left out for more than 100 numerical features. Its correlations are
    shrunk by 2 %.

    Draws of ``sample_posterior`` are normal with a predicted standard deviation, and within the
    range of the training samples. Features are drawn in at most 16 parts, each given those before.

    References
    ----------
    .. [1] Vincent et al. (2008), "Extracting and Composing Robust Features with Denoising
       Autoencoders", ICML.
    .. [2] Gondara and Wang (2018), "MIDA: Multiple Imputation using Denoising Autoencoders",
       PAKDD.
    .. [3] Little and Rubin (2019), "Statistical Analysis with Missing Data", 3rd edition, Wiley,
       chapter 11.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.impute import AutoencoderImputer
    >>> x = np.linspace(0, 1, 100)
    >>> X = np.column_stack([x, 2 * x, 1 - x])
    >>> X[50, 1] = np.nan
    >>> imputer = AutoencoderImputer(max_epochs=50, random_state=0)
    >>> imputer.fit_transform(X)[50].round(1).tolist()
    [0.5, 1.0, 0.5]
    """

    sample_posterior: bool = param("boolean", default=False)
    n_imputations: int = param(POSITIVE_INTEGER, default=1)
    hidden_layer_sizes: int | Sequence[int] = param(
        POSITIVE_INTEGER, "array-like", default=(256, 256)
    )
    activation: str = param(StrOptions(set(ACTIVATIONS)), default="relu")
    dropout: float = param(BELOW_ONE, default=0.5, lifted=True)
    embedding_dim: int = param(POSITIVE_INTEGER, default=8)
    lr: float = param(default=2e-3)
    weight_decay: float = param(default=0.1)
    lr_schedule: str = param(default="cosine")
    gradient_clip_value: float | None = param(default=1.0)

    _changeable = ("dropout",)

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    @own_settings()
    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Train the net.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
            Training samples with missing entries.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss. Samples with a weight of zero are ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight)

    @own_settings()
    def transform(self, X) -> Any:
        """Replace missing entries.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
            Samples with missing entries.

        Returns
        -------
        X_imputed : {ndarray, dataframe} of shape (n_samples, n_features_out)
            Samples without missing entries; observed ones are unchanged. With categorical features,
            a dataframe with the dtypes of ``X`` if ``X`` is a dataframe, else an array of objects;
            columns of integers and booleans become float64 if numbers are imputed. Without
            categorical features, an array: float32 if ``X`` is float32, else float64.
        """
        table = self._read_new(X)
        completed = self._finish(table, self._impute(table))
        return to_container(completed, output_container(self))

    @own_settings()
    def draw_imputations(self, X, n_imputations=5, random_state=None) -> list[Any]:
        """Draw missing entries several times, for multiple imputation.

        Each draw is from the predicted joint distribution of the missing entries of a sample, given
        its observed entries. An analysis is carried out on each of the tables: the spread of its
        results is the uncertainty that is due to missing entries.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
            Samples with missing entries.
        n_imputations : int, default=5
            Number of draws.
        random_state : int, RandomState instance or None, default=None
            Determines random number generation. Pass an int for reproducible results across
            multiple function calls.

        Returns
        -------
        imputations : list of {ndarray, dataframe} of shape (n_samples, n_features_out)
            As ``transform`` returns them without ``set_output``.
        """
        check_n_samples(n_imputations, "n_imputations")
        table = self._read_new(X)
        draws = self._draw(table, n_imputations, draw_seed(random_state))
        return [self._finish(table, values) for values in draws]

    @own_settings()
    def reconstruct(self, X) -> Any:
        """Predict all entries of samples, each from other entries of the sample.

        Every entry is hidden once, together with those of about a quarter of the features. The
        errors of observed entries show how well missing ones are predicted.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
            Samples, with or without missing entries.

        Returns
        -------
        X_predicted : {ndarray, dataframe} of shape (n_samples, n_features_out)
            Predictions; containers and dtypes as returned by ``transform``, without indicators.
        """
        table = self._read_new(X)
        predicted = self._apply(self.module_.predict_each, table.codes)
        table = table._replace(is_missing=np.ones_like(table.is_missing))
        return self._complete(table, self._scaler.inverse(predicted))

    @own_settings()
    def score(self, X, y=None, sample_weight=None) -> float:
        """Return the negative mean loss of observed entries, each predicted from other entries.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
            Samples, with or without missing entries.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            Negative mean of the squared errors of numbers, in units of the variance of the
            training samples, and the cross-entropies of categories; see ``reconstruct``.
        """
        codes = self._read_new(X).codes
        weight = check_weights(sample_weight, codes)
        errors, counts = self._apply(self.module_.errors, codes).astype(np.float64).T
        weight = np.ones(len(errors)) if weight is None else weight
        if not weight @ counts:
            raise ValueError("X must have at least one observed entry to score; got none.")
        return float(-(weight @ errors) / (weight @ counts))

    # Recipe --------------------------------------------------------------------------------

    def _plan(self, fit):
        stopping = self._stopping(holds_out=fit.holds_out)
        yield from self._train(fit, self.max_epochs, stopping=stopping)

    def _stopping(self, *, holds_out, pauses=False):
        if holds_out:
            return super()._stopping(holds_out=holds_out, pauses=pauses)
        # never, as the training loss changes with the entries that are hidden
        return EarlyStopping(
            "train_loss", patience=sys.maxsize, tol=self.tol, restore_best=False, pauses=pauses
        )

    # Hooks ---------------------------------------------------------------------------------

    def _check_combination(self):
        if self.n_imputations > 1 and not self.sample_posterior:
            raise ValueError(
                "n_imputations must be 1 with sample_posterior=False, as all imputations would be "
                f"equal; got {self.n_imputations!r}. Set sample_posterior=True."
            )

    def _architecture(self, data, scaler):
        return {
            "n_numeric": len(scaler.numeric),
            "cardinalities": scaler.cardinalities,
            "rates": scaler.rates,
            "baseline": scaler.baseline,
            "gaussian": scaler.gaussian,
            "hidden_layer_sizes": check_layer_sizes(self.hidden_layer_sizes, auto=None),
            "activation": self.activation,
            "dropout": float(self.dropout),
            "embedding_dim": int(self.embedding_dim),
        }

    @staticmethod
    def _make_module(architecture, streams):
        return ImputerNet(**architecture, streams=streams)

    def _objective(self, phase):
        return Objective(loss_terms)

    # Imputation ----------------------------------------------------------------------------

    def _finish(self, table, values):
        """Completed samples, with indicators if they are wanted."""
        return self._with_indicator(self._complete(table, values), table)

    def _impute(self, table):
        """Values of the missing entries, (n_samples, n_columns) of the scaler."""
        if self.sample_posterior:
            return self._average(self._draw(table, int(self.n_imputations), self._seed))
        columns = self._scaler.columns
        values = np.zeros((len(table.codes), len(columns)))
        has_gap = table.is_missing[:, columns].any(axis=1)
        if has_gap.any():
            predicted = self._apply(self.module_.complete, table.codes[has_gap])
            values[has_gap] = self._scaler.inverse(predicted)
        return values

    def _draw(self, table, n_draws, seed):
        """Draw missing entries, (n_draws, n_samples, n_columns)."""

        def predict(codes):
            return self._apply(self.module_.distribution, codes)

        seeds = numpy_generator(seed).integers(2**32, size=n_draws).tolist()
        return np.stack(
            [
                draw_entries(table.codes, table.is_missing, self._scaler, predict, one)
                for one in seeds
            ]
        )

    def _average(self, draws):
        """Mean of numbers and most frequent category over draws."""
        n_numeric = len(self._scaler.numeric)
        values = draws.mean(axis=0)
        values[:, n_numeric:] = most_frequent(draws[:, :, n_numeric:])
        return values
