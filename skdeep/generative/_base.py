"""Methods and parameters that all generative adversarial nets share."""

from collections.abc import Sequence
from numbers import Real

import numpy as np

from skdeep._preprocessing._linear import LinearScaler
from skdeep.generative._adversarial_net import AdversarialNet, Game
from skdeep.nn._activation import ACTIVATIONS
from skdeep.nn._gan_losses import ADVERSARIAL_LOSSES
from skdeep.utils._params import (
    BELOW_ONE,
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_INTEGER,
    Parameters,
    param,
)
from skdeep.utils._sklearn import StrOptions


class AdversarialMixin(Parameters):
    """A generator that is trained against a critic."""

    latent_dim: int = param(POSITIVE_INTEGER, default=32)
    hidden_layer_sizes: str | int | Sequence[int] = param(
        StrOptions({"auto"}), POSITIVE_INTEGER, "array-like", default="auto"
    )
    activation: str = param(StrOptions(set(ACTIVATIONS)), default="leaky_relu")
    loss: str = param(StrOptions(set(ADVERSARIAL_LOSSES)), default="non-saturating")
    gradient_penalty: str | float = param(StrOptions({"auto"}), NON_NEGATIVE, default="auto")
    n_critic: int = param(POSITIVE_INTEGER, default=1)
    ema_decay: float = param(BELOW_ONE, default=0.999)
    critic_lr: float | None = param(POSITIVE, None, default=None)
    betas: Sequence[float] = param(tuple, list, default=(0.5, 0.9))
    # adversarial losses need not decrease: there is no plateau to wait for
    lr_schedule: str = param(StrOptions({"constant", "cosine", "onecycle"}), default="constant")

    _net_class = AdversarialNet

    def _check_combination(self):
        """Raise ``ValueError`` for parameters that cannot be combined."""
        betas = tuple(self.betas)
        if len(betas) != 2 or not all(isinstance(one, Real) and 0 <= one < 1 for one in betas):
            raise ValueError(
                f"betas must be two numbers in [0, 1), such as (0.9, 0.999); got {self.betas!r}."
            )

    def _objective(self, phase):
        penalty = self.gradient_penalty
        if isinstance(penalty, str):
            penalty = self._default_penalty()
        return Game(self.loss, float(penalty))

    def _default_penalty(self):
        """Weight of the gradient penalty for ``gradient_penalty="auto"``."""
        # NOTE[DIFF]: Gulrajani et al. use 10, which with n_critic=1 trains too slowly here
        return 1.0

    def _record(self, fit):
        record = super()._record(fit)
        record["critic_loss_curve_"] = [row["train_critic"] for row in record["history_"]]
        return record

    def _generate(self, condition, n_rows, rng):
        """Output of the averaged generator after ``_finish``, (n_rows, n_features).

        Parameters
        ----------
        condition : ndarray of int, shape (n_rows,), or None
        n_rows : int
        rng : numpy.random.Generator
        """
        rows = rng.standard_normal((n_rows, self.module_.latent_dim))
        if condition is not None:
            one_hot = np.zeros((n_rows, self.module_.n_conditions), dtype=np.float32)
            one_hot[np.arange(n_rows), condition] = 1
            rows = np.hstack([rows, one_hot])
        return self._apply(self._finish, rows, scaler=LinearScaler(rows.shape[1]))
