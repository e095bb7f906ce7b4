"""The parameters that all estimators share, and the way from rows to a trained net."""

import copy
from abc import ABC, abstractmethod
from numbers import Integral, Real

import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_is_fitted

from skdeep._fitting import FittingMixin
from skdeep._training._inference import CHUNK_IMAGES, CHUNK_ROWS, apply_in_chunks
from skdeep._training._optim import LR_SCHEDULES
from skdeep._training._scaling import RowScaler
from skdeep._training._state import (
    LIVE_ATTRIBUTES,
    existing_device,
    fitted_state,
    plain_parameters,
    restore_fitted,
    restore_parameters,
)
from skdeep._training._threads import thread_scope
from skdeep.utils._containers import in_memory
from skdeep.utils._docs import DocumentationLinkMixin
from skdeep.utils._random import make_streams
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import Interval, StrOptions
from skdeep.utils._validation import check_image_shape, check_rows, output_dtype

__all__: list[str] = []


class DeepEstimator(FittingMixin, DocumentationLinkMixin, CallbackSupportMixin, BaseEstimator, ABC):
    """Base of every estimator that holds a net.

    A subclass says which module it trains and in which net: ``_architecture``, ``_make_module``,
    ``_wrap_module`` and ``_hyperparameters``.
    """

    _parameter_constraints = {
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "lr_schedule": [StrOptions(set(LR_SCHEDULES))],
        "gradient_clip_value": [Interval(Real, 0, None, closed="neither"), None],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device, list, tuple],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        max_epochs,
        batch_size,
        lr,
        weight_decay,
        lr_schedule,
        gradient_clip_value,
        warm_start,
        callbacks,
        device,
        random_state,
        verbose,
    ):
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.gradient_clip_value = gradient_clip_value
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # What a subclass says ------------------------------------------------------------------

    @abstractmethod
    def _architecture(self, n_features):
        """Plain dict from which ``_make_module`` builds the module of the present parameters."""

    @abstractmethod
    def _make_module(self, architecture, streams):
        """Torch module; its initial weights are drawn from ``streams``."""

    @abstractmethod
    def _wrap_module(self, options, **live):
        """Net that trains the module; ``options`` are plain values, ``live`` the net's others."""

    @abstractmethod
    def _hyperparameters(self):
        """Plain dict of what the loss reads."""

    def _check_rows(self, X, *, reset):
        """Validate rows; numbers, one column per feature."""
        return check_rows(self, X, reset=reset, image_shape=self._image_shape(reset=reset))

    def _image_shape(self, *, reset=True):
        """Channels, height and width of a row, None for no images; the fitted ones, or anew."""
        if not reset:
            return self._fitted_architecture.get("image_shape")
        return check_image_shape(getattr(self, "image_shape", None))

    def _check_data(self, X):
        """Raise ``ValueError`` for rows that the loss cannot take."""

    def _check_targets(self, y, X, *, reset):
        """Validate and encode what is learned for each row; None where that is the row itself."""
        return None

    def _arrange(self, X, y):
        """Rows and targets as the net is trained on them, from validated ones."""
        return X, y

    def _weigh(self, sample_weight, y):
        """Weights of the rows in the loss."""
        return sample_weight

    def _strata(self, y):
        """Integer of each row whose shares a split keeps, or None."""
        return None

    def _scaling(self):
        """Kind of feature scaling in front of the net, see ``RowScaler.fit``."""
        return None

    def _fit_scaler(self, X, weight):
        """Scaler in front of the net, learned from the rows with a weight."""
        return RowScaler.fit(X, weight, kind=self._scaling())

    def _make_scaler(self, state):
        """Scaler from what its ``state()`` gave."""
        return RowScaler(**state)

    def _scale_targets(self, y, weight, *, reset):
        """Targets in the units of the loss."""
        return y

    def _stopping(self):
        """Make the callback that ends training before ``max_epochs``, or None."""
        return None

    def _refits(self):
        """Whether training is repeated on all rows behind early stopping."""
        return False

    # Inference -----------------------------------------------------------------------------

    def _apply(self, function, X, n_outputs, *, scaler=None, chunk_rows=None):
        """Apply a row-wise function of the module to validated rows."""
        if chunk_rows is None:
            has_images = self._image_shape(reset=False) is not None
            chunk_rows = CHUNK_IMAGES if has_images and self.device_ == "cpu" else CHUNK_ROWS
        with thread_scope(self.module_, chunk_rows, self.device_):
            return apply_in_chunks(
                function,
                X,
                scaler=self._scaler if scaler is None else scaler,
                device=self.device_,
                n_outputs=n_outputs,
                dtype=output_dtype(X),
                chunk_rows=chunk_rows,
            )

    def _check_new_rows(self, X):
        """Rows for a fitted estimator, validated."""
        check_is_fitted(self)
        return self._check_rows(in_memory(X), reset=False)

    # Persistence ---------------------------------------------------------------------------

    def __getstate__(self):
        """Parameters and fitted state as arrays, numbers and strings, without torch objects.

        The optimiser's state is left out where no training is to continue from it.
        """
        return self._plain_state(has_optimizer=self._trains_on())

    def __copy__(self):
        """Shallow copy, with the optimiser's state."""
        return self._restored(self._plain_state(has_optimizer=True))

    def __deepcopy__(self, memo):
        """Deep copy, with the optimiser's state."""
        memo[id(self)] = copied = type(self).__new__(type(self))
        copied.__setstate__(copy.deepcopy(self._plain_state(has_optimizer=True), memo))
        return copied

    def _trains_on(self):
        """Whether a later training may continue from where the last one ended."""
        return bool(self.warm_start) or self._is_fitted_in_parts

    def _plain_state(self, *, has_optimizer):
        """State that ``__setstate__`` takes, of arrays, numbers and strings."""
        state = plain_parameters(dict(super().__getstate__()))
        if "net_" in state:
            state["_fitted_state"] = fitted_state(self, has_optimizer=has_optimizer)
            for name in LIVE_ATTRIBUTES:
                del state[name]
        return state

    def _restored(self, state):
        """Estimator of the same class from what ``_plain_state`` gave."""
        restored = type(self).__new__(type(self))
        restored.__setstate__(state)
        return restored

    @own_settings()
    def __setstate__(self, state):
        """Rebuild module and net, on the CPU where the recorded device does not exist."""
        state = restore_parameters(dict(state))
        fitted = state.pop("_fitted_state", None)
        super().__setstate__(state)
        if fitted is not None:
            self._restore(fitted)

    def _restore(self, state):
        """Set the live attributes from what ``fitted_state`` gave."""
        self.device_ = existing_device(state["device"], type(self).__name__)
        self._scaler = self._make_scaler(state["scaler"])
        self._net_options = dict(state["net_options"])
        self._fitted_architecture = dict(state["architecture"])
        self._streams = make_streams(0, self.device_)
        self.module_ = self._make_module(self._fitted_architecture, self._streams)
        self.module_ = self.module_.to(self.device_).eval()
        self.net_ = self._make_net([])
        restore_fitted(self, state)

    def __sklearn_tags__(self):
        """Sparse rows are read batch by batch; results keep float32 and float64."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
