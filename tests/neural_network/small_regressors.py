"""Regressors that are trained in a moment."""

from skdeep.neural_network import ResNetRegressor


def small(**parameters):
    """Fast regressor."""
    defaults = {"n_blocks": 1, "width": 16, "max_epochs": 5, "lr_schedule": "constant"}
    defaults |= {"norm": "batch", "numerical_embedding": None, "early_stopping": False}
    defaults |= {"lr": 1e-3, "weight_decay": 1e-5, "device": "cpu", "random_state": 0}
    return ResNetRegressor(**{**defaults, **parameters})


def full_batch(**parameters):
    """As ``small``, with full batches, for which sample weights are exact."""
    return small(batch_size=1000, lr=0.01, **parameters)
