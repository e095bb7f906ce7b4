"""The scaler for the parameter ``feature_scaling``."""

from skdeep._preprocessing._linear import LinearScaler
from skdeep._preprocessing._quantile import QuantileScaler
from skdeep.utils._slabs import dense

__all__ = ["fit_feature_scaler"]


def fit_feature_scaler(X, sample_weight=None, *, rng, scaling, read=dense):
    """Learn a ``QuantileScaler`` for ``scaling="quantile"``, else a ``LinearScaler``."""
    if scaling == "quantile":
        return QuantileScaler.fit(X, sample_weight, rng=rng, read=read)
    return LinearScaler.fit(X, sample_weight, rng=rng, scaling=scaling, read=read)
