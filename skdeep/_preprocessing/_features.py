"""Scalers of numerical features by name."""

from skdeep._preprocessing._linear import LinearScaler
from skdeep._preprocessing._quantile import QuantileScaler
from skdeep._preprocessing._robust import RobustScaler
from skdeep.utils._slabs import dense

_BY_NAME: dict[str | None, type[QuantileScaler | RobustScaler]] = {
    "quantile": QuantileScaler,
    "robust": RobustScaler,
}


def feature_scaler_class(scaling):
    """``QuantileScaler``, ``RobustScaler`` or, for other names, ``LinearScaler``."""
    return _BY_NAME.get(scaling, LinearScaler)


def fit_feature_scaler(X, sample_weight=None, *, rng, scaling, read=dense):
    """Learn a scaler of the class for this name."""
    if scaling in _BY_NAME:
        return _BY_NAME[scaling].fit(X, sample_weight, rng=rng, read=read)
    return LinearScaler.fit(X, sample_weight, rng=rng, scaling=scaling, read=read)
