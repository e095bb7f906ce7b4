"""Residual nets that start from the trunk of a fitted estimator."""

import copy
from numbers import Integral

import torch
from sklearn.frozen import FrozenEstimator

from skdeep._gradient_descent import GradientDescentMixin
from skdeep._preprocessing._table import TableScaler
from skdeep._transfer import fitted_start
from skdeep.nn._coder_trunk import copy_tensors
from skdeep.nn._resnet import FROZEN
from skdeep.utils._params import POSITIVE, param
from skdeep.utils._sklearn import Interval
from skdeep.utils._validation import check_image_shape

_KINDS = "residual net, autoencoder or clusterer of skdeep"


class TransferMixin(GradientDescentMixin):
    """Layers, weights and scaling from a fitted estimator, and training that respects them."""

    pretrained: FrozenEstimator | None = param(FrozenEstimator, None, default=None, data=True)
    freeze_epochs: int = param(Interval(Integral, 0, None, closed="left"), default=0)
    trunk_lr: float | None = param(POSITIVE, None, default=None)

    @property
    def _start(self):
        """Fitted estimator to start from; None to start from scratch."""
        return getattr(self.pretrained, "estimator", None)

    def _check_start(self):
        """Raise an error unless the net can start from ``pretrained``; return its image shape."""
        given = fitted_start("pretrained", self.pretrained, _has_trunk, _KINDS)
        image_shape, expected = check_image_shape(self.image_shape), given._fitted_image_shape
        if image_shape not in (None, expected):
            raise ValueError(
                f"image_shape must be None or that of pretrained, {expected}; got {image_shape}. "
                "The layers are those of pretrained."
            )
        if self.trunk_lr is not None and _has_one_lr(self.optimizer):
            raise ValueError(
                f"trunk_lr must be None with {self.optimizer.__name__}, which has one learning "
                f"rate for all weights; got {self.trunk_lr!r}. Lower lr, or use another optimizer."
            )
        return expected

    def _transferred_scaler(self):
        """Return the scaling of ``pretrained``, without that of its targets."""
        given = self._start._scaler
        if not isinstance(given, TableScaler):
            return TableScaler.of_numbers(given)
        scaler = copy.copy(given)
        scaler.target = None
        return scaler

    def _transferred_architecture(self, scaler):
        """Return the trunk of ``pretrained`` with the dropout and augmentation of this net."""
        options, _ = self._start._trunk()
        is_encoder = "coder" in options
        if is_encoder or options.get("image_shape") is not None:
            options["augment"] = self.augment
        if not is_encoder:
            options["dropout"] = float(self.dropout)
            options["residual_dropout"] = float(self.residual_dropout)
        return options | {"baseline": scaler.baseline}

    def _set_first_weights(self, module):
        if self.pretrained is not None:
            copy_tensors(self._start._trunk()[1], module.trunk)

    def _train(self, fit, n_epochs, *, stopping=None, first_epoch=0, **options):
        """Train, and in the first ``freeze_epochs`` epochs of the net only its head.

        Early stopping applies to the last part of the training.
        """
        if self.pretrained is None:
            options |= {"stopping": stopping, "first_epoch": first_epoch}
            yield from super()._train(fit, n_epochs, **options)
            return
        history = [] if fit.net is None else fit.net.history
        n_frozen = min(int(n_epochs), max(0, int(self.freeze_epochs) - len(history)))
        options = {"n_schedule_epochs": int(n_epochs)} | options
        if n_frozen:
            # also of a fit in several parts, some of which may be frozen as a whole
            is_all = n_frozen == n_epochs and self.freeze_epochs >= options["n_schedule_epochs"]
            yield from self._train_part(
                fit,
                n_frozen,
                phase=FROZEN,
                stopping=stopping if is_all else None,
                first_epoch=first_epoch,
                **options,
            )
        if n_frozen < n_epochs:
            yield from self._train_part(
                fit,
                int(n_epochs) - n_frozen,
                phase="fine-tuning",
                stopping=stopping,
                first_epoch=first_epoch + n_frozen,
                trunk_lr=None if self.trunk_lr is None else float(self.trunk_lr),
                **options,
            )

    @staticmethod
    def _train_part(fit, n_epochs, *, phase, **options):
        """Train in one phase; a later one has a new optimizer, as other weights take part."""
        is_new = fit.net is None or fit.net.phase != phase
        optimizer = "new" if is_new else "keep"
        yield from fit.train(n_epochs, phase=phase, optimizer=optimizer, **options)


def _has_one_lr(optimizer):
    return isinstance(optimizer, type) and issubclass(optimizer, torch.optim.LBFGS)


def _has_trunk(estimator):
    return hasattr(estimator, "_trunk")
