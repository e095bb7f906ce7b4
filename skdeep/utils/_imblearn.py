"""imbalanced-learn's habits: tags of a sampler, and how many rows of which class are wanted."""

from dataclasses import dataclass, field, fields

import numpy as np
import scipy.sparse as sp
from sklearn.utils import InputTags, Tags

__all__ = ["as_sampler_tags", "resampling_plan"]


@dataclass(slots=True)
class _InputTags(InputTags):
    """scikit-learn's tags of the input, and whether it may be a dataframe."""

    dataframe: bool = True


@dataclass(slots=True)
class _SamplerTags:
    """Tags of a sampler."""

    sample_indices: bool = False


@dataclass(slots=True)
class _Tags(Tags):
    """scikit-learn's tags, and those of a sampler."""

    sampler_tags: _SamplerTags = field(default_factory=_SamplerTags)


def as_sampler_tags(tags):
    """Tags of an estimator with those that imbalanced-learn asks samplers for."""
    values = {one.name: getattr(tags, one.name) for one in fields(tags)}
    values["input_tags"] = _InputTags(
        **{one.name: getattr(tags.input_tags, one.name) for one in fields(tags.input_tags)}
    )
    return _Tags(**values)


def resampling_plan(sampling_strategy, y):
    """Work out what ``fit_resample`` has to do, by imbalanced-learn's own rules.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
    y : array-like of shape (n_samples,) or (n_samples, n_classes)

    Returns
    -------
    plan : dict
        Number of rows to generate by class.
    y : ndarray of shape (n_samples,)
        One label per row.
    is_one_vs_all : bool
        Whether labels came as one column per class.

    Raises
    ------
    ImportError
        If imbalanced-learn is not installed.
    """
    try:
        from imblearn.utils import check_sampling_strategy, check_target_type
    except ImportError as error:
        raise ImportError(
            "fit_resample needs the package imbalanced-learn: pip install skdeep[imblearn]."
        ) from error
    y = y if sp.issparse(y) or np.ndim(y) == 1 else np.asarray(y)
    y, is_one_vs_all = check_target_type(y, indicate_one_vs_all=True)
    return check_sampling_strategy(sampling_strategy, y, "over-sampling"), y, is_one_vs_all
