"""Base class of all deep estimators."""

import copy
import copyreg
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdeep._device_estimator import DeviceEstimator
from skdeep._fit import Fit
from skdeep._fit_data import Data
from skdeep._preprocessing._linear import LinearScaler
from skdeep._preprocessing._scaler import scaler_from_state
from skdeep._training._inference import apply_in_chunks
from skdeep._training._net import TrainingNet, make_net
from skdeep._training._optim import LR_SCHEDULES
from skdeep._training._state import (
    LIVE_ATTRIBUTES,
    existing_device,
    fitted_state,
    restore_fitted,
    restore_parameters,
)
from skdeep.utils._params import NON_NEGATIVE, POSITIVE, POSITIVE_INTEGER, param
from skdeep.utils._random import make_streams
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import StrOptions
from skdeep.utils._validation import check_rows, check_weights, in_memory

__all__: list[str] = []


class DeepEstimator(DeviceEstimator, ABC):
    """Base class of all estimators that train a net.

    Subclasses define data, scaler, architecture, module, loss, plan and fitted attributes in the
    methods from ``_check`` to ``_record``. Each of them returns a value and sets no attributes:
    the state of a fit in progress is stored in ``Fit``.
    """

    max_epochs: int = param(POSITIVE_INTEGER, default=100, lifted=True)
    batch_size: int = param(POSITIVE_INTEGER, default=128)
    lr: float = param(POSITIVE, default=1e-3, lifted=True)
    weight_decay: float = param(NON_NEGATIVE, default=0.0, lifted=True)
    lr_schedule: str = param(StrOptions(set(LR_SCHEDULES)), default="constant", lifted=True)
    gradient_clip_value: float | None = param(POSITIVE, None, default=None, lifted=True)
    warm_start: bool = param("boolean", default=False)
    callbacks: Sequence[Any] | None = param(list, tuple, None, default=None)

    #: class of the skorch net that trains the module
    _net_class: ClassVar[type[TrainingNet]] = TrainingNet
    #: entries of the architecture that a warm start may change since no weight depends on them
    _changeable: ClassVar[tuple[str, ...]] = ()
    # Whether the last fit was one of several consecutive parts.
    _is_fitted_in_parts = False

    # Methods that subclasses define ----------------------------------------------------------

    def _check(self, X, y=None, sample_weight=None, *, reset):
        """Validate and encode data; return ``Data``.

        New samples for a fitted estimator are passed without ``y``.
        """
        image_shape = getattr(self, "image_shape", None) if reset else self._fitted_image_shape
        X = check_rows(self, X, reset=reset, image_shape=image_shape)
        return Data(X, weight=check_weights(sample_weight, X))

    def _fit_scaler(self, data, rng):
        """Fit the scaler of the net's inputs on all samples of nonzero weight; ``Scaler``."""
        return LinearScaler.fit(data.X, data.weight, rng=rng, scaling=None)

    @abstractmethod
    def _architecture(self, data, scaler):
        """Return a plain dict that describes the module."""

    @staticmethod
    @abstractmethod
    def _make_module(architecture, streams):
        """Make the torch module of an architecture, with initial weights from ``streams``."""

    def _set_first_weights(self, module):
        """Copy weights of another estimator to a new module; by default there are none."""

    @abstractmethod
    def _objective(self, phase):
        """Return the loss that is minimized in a phase of training; ``Objective``."""

    def _plan(self, fit):
        """Train; a generator, see ``Fit``."""
        yield from fit.train(self.max_epochs, optimizer="keep")

    def _record(self, fit):
        """Return a dict of fitted attributes, without those of the data and of the net."""
        history = list(fit.net.history)
        record = {
            "history_": history,
            "n_iter_": len(history),
            "loss_curve_": [row["train_loss"] for row in history],
        }
        if any("valid_loss" in row for row in history):
            record["validation_loss_curve_"] = [row.get("valid_loss", np.nan) for row in history]
        return record

    def _check_combination(self):
        """Raise ``ValueError`` for incompatible parameters."""

    # Methods that subclasses use -------------------------------------------------------------

    def _fit(self, X, y=None, sample_weight=None):
        """Train from scratch or, with ``warm_start``, continue training."""
        return Fit(self, X, y, sample_weight, resume=self.warm_start).run()

    def _epochs_of_steps(self, n_steps, fit):
        """Return the number of epochs with at least this number of steps of the optimizer."""
        n_batches = -(-len(fit.rows) // int(self.batch_size))
        return -(-n_steps // n_batches)

    @property
    def _fitted_image_shape(self):
        """Channels, height and width of a sample; None if samples are not images."""
        return self._fitted_architecture.get("image_shape")

    def _check_same_shape(self, architecture):
        """Raise ``ValueError`` if the fitted weights do not match an architecture."""
        old = self._fitted_architecture
        names = old.keys() | architecture.keys()
        changed = sorted(name for name in names if architecture.get(name) != old.get(name))
        if not set(changed) <= set(self._changeable):
            raise ValueError(
                "warm_start and partial_fit require a net of the same shape as in the last fit; "
                f"got new values of {changed}. Fit a clone instead."
            )

    def _check_new(self, X):
        """Validate samples for a fitted estimator."""
        if "net_" not in vars(self):
            check_is_fitted(self)
        return self._check(in_memory(X), reset=False).X

    def _apply(self, function, X, *, scaler=None, chunk_rows=None):
        """Apply a function of the module, row by row, to validated samples."""
        return apply_in_chunks(
            function,
            X,
            module=self.module_,
            scaler=self._scaler if scaler is None else scaler,
            device=self.device_,
            chunk_rows=chunk_rows,
        )

    # Persistence ---------------------------------------------------------------------------

    def __getstate__(self):
        """Return parameters and fitted state as arrays, numbers and strings, without torch objects.

        The state of the optimizer is omitted unless training may continue from it.
        """
        return self._plain_state(has_optimizer=bool(self.warm_start) or self._is_fitted_in_parts)

    def __copy__(self):
        """Return a shallow copy that includes the state of the optimizer."""
        copied = type(self).__new__(type(self))
        copied.__setstate__(self._plain_state(has_optimizer=True))
        return copied

    def __reduce__(self):
        """Return class and state; a deep copy includes the state of the optimizer."""
        return copyreg.__newobj__, (type(self),), _State(self)

    def _plain_state(self, *, has_optimizer):
        """Return the state for ``__setstate__`` as arrays, numbers and strings."""
        state = super().__getstate__()
        if "net_" in state:
            state["_fitted_state"] = fitted_state(self, has_optimizer=has_optimizer)
            for name in LIVE_ATTRIBUTES:
                del state[name]
        return state

    @own_settings()
    def __setstate__(self, state):
        """Rebuild module and net, on the CPU if the recorded device is not available."""
        state = restore_parameters(dict(state))
        fitted = state.pop("_fitted_state", None)
        super().__setstate__(state)
        if fitted is not None:
            self._restore(fitted)

    def _restore(self, state):
        """Set the live attributes from the result of ``fitted_state``."""
        self.device_ = existing_device(state["device"], type(self).__name__)
        self._scaler = scaler_from_state(state["scaler"])
        self._net_options = dict(state["net_options"])
        self._fitted_architecture = dict(state["architecture"])
        self._streams = make_streams(0, self.device_)
        module = self._make_module(self._fitted_architecture, self._streams)
        self.module_ = module.to(self.device_).eval()
        options = dict(self._net_options)
        # with default parameters: the present ones may be invalid, and the recorded values count
        stand_in = type(self).__new__(type(self))
        vars(stand_in).update({k: v for k, v in vars(self).items() if not hasattr(type(self), k)})
        objective = stand_in._objective(options["phase"])
        objective.hyperparameters = options.pop("hyperparameters")
        self.net_ = make_net(
            self._net_class,
            self.module_,
            objective,
            options,
            shuffle_generator=self._streams["shuffle"],
            device=self.device_,
            callbacks=[],
            verbose=0,
        )
        restore_fitted(self, state)


class _State:
    """State of an estimator that is pickled or copied.

    ``copy.deepcopy`` of a ``FrozenEstimator`` would call a method ``__deepcopy__`` of the estimator
    in it, whose attributes it has, and return a copy of that one.

    Parameters
    ----------
    estimator : DeepEstimator
    """

    def __init__(self, estimator):
        self.estimator = estimator

    def __reduce__(self):
        """Return a function and its arguments that make the pickled state."""
        return dict, (self.estimator.__getstate__(),)

    def __deepcopy__(self, memo):
        """Return a copy of the whole state."""
        return copy.deepcopy(self.estimator._plain_state(has_optimizer=True), memo)
