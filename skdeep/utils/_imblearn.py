"""Compatibility with imbalanced-learn: sampler tags and sampling strategies."""

from dataclasses import dataclass, field, fields

import numpy as np
import scipy.sparse as sp
from sklearn.utils import InputTags, Tags


@dataclass(slots=True)
class _InputTags(InputTags):
    """scikit-learn's input tags, extended by imbalanced-learn's dataframe tag."""

    dataframe: bool = True


@dataclass(slots=True)
class _SamplerTags:
    """Tags of a sampler."""

    sample_indices: bool = False


@dataclass(slots=True)
class _Tags(Tags):
    """scikit-learn's tags, extended by those of a sampler."""

    sampler_tags: _SamplerTags = field(default_factory=_SamplerTags)


def as_sampler_tags(tags):
    """Extend the tags of an estimator by those that imbalanced-learn expects of samplers."""
    values = {one.name: getattr(tags, one.name) for one in fields(tags)}
    values["input_tags"] = _InputTags(
        **{one.name: getattr(tags.input_tags, one.name) for one in fields(tags.input_tags)}
    )
    return _Tags(**values)


def resampling_plan(sampling_strategy, y):
    """Return the number of samples to generate per class, by imbalanced-learn's rules.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
    y : array-like of shape (n_samples,) or (n_samples, n_classes)

    Returns
    -------
    plan : dict
        Number of samples to generate for each class.
    y : ndarray of shape (n_samples,)
        One label per sample.
    is_one_vs_all : bool
        Whether the labels were given as one column per class.

    Raises
    ------
    ImportError
        If imbalanced-learn is not installed.
    """
    try:
        from imblearn.utils import check_sampling_strategy, check_target_type
    except ImportError as error:
        raise ImportError(
            "fit_resample requires imbalanced-learn: pip install skdeep[imblearn]."
        ) from error
    y = y if sp.issparse(y) or np.ndim(y) == 1 else np.asarray(y)
    y, is_one_vs_all = check_target_type(y, indicate_one_vs_all=True)
    return check_sampling_strategy(sampling_strategy, y, "over-sampling"), y, is_one_vs_all
