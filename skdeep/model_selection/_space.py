"""Ready-made search spaces for each estimator."""

from scipy.stats import loguniform, uniform
from sklearn.pipeline import Pipeline

from skdeep.decomposition import Autoencoder, VariationalAutoencoder
from skdeep.neural_network import ResNetClassifier, ResNetRegressor


def search_space(estimator):
    """Return a search space for an estimator, or for all nets in a pipeline.

    Parameters that affect the shape of a net have short lists of values, so that many candidates
    have the same shape and are trained as one stack. The others have continuous distributions.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Estimator of skdeep that can be scored, or a pipeline with such steps.

    Returns
    -------
    space : dict of str to list or distribution
        ``param_distributions`` for :class:`BatchedRandomizedSearchCV`,
        :class:`BatchedHalvingSearchCV` and scikit-learn's searches. A new dict, which can be
        modified.

    Raises
    ------
    ValueError
        If there is no search space for the estimator or for any step.

    Notes
    -----
    The space of residual nets for tables is the tuning space of [1]_, with powers of two as widths
    and at most four blocks. ``n_components`` of autoencoders is left out, as more components always
    lower the reconstruction error.

    References
    ----------
    .. [1] Gorishniy et al. (2021), "Revisiting Deep Learning Models for Tabular Data", NeurIPS.

    Examples
    --------
    >>> from skdeep.model_selection import search_space
    >>> from skdeep.neural_network import ResNetClassifier
    >>> sorted(search_space(ResNetClassifier()))
    ['dropout', 'hidden_factor', 'lr', 'n_blocks', 'residual_dropout', 'weight_decay', 'width']
    """
    if isinstance(estimator, Pipeline):
        space = {
            f"{name}__{parameter}": values
            for name, step in estimator.steps
            if isinstance(step, tuple(_SPACES))
            for parameter, values in search_space(step).items()
        }
        if space:
            return space
    for kind, make_space in _SPACES.items():
        if isinstance(estimator, kind):
            return {**_training_space(), **make_space(estimator)}
    known = sorted(kind.__name__ for kind in _SPACES)
    raise ValueError(
        f"search_space knows {known} and pipelines with one of them; got {estimator!r}. Define "
        "param_distributions yourself."
    )


def _training_space():
    return {
        "lr": loguniform(1e-4, 1e-2),
        "weight_decay": [0.0, 1e-5, 1e-4, 1e-3, 1e-2],
    }


def _coder_space(estimator):
    if estimator.image_shape is not None:
        return {"hidden_layer_sizes": [(8, 16), (16, 32), (32, 64)], "batch_norm": [False, True]}
    return {
        "hidden_layer_sizes": [(64,), (128,), (256,), (128, 64), (256, 64)],
        "block": ["dense", "residual"],
        "batch_norm": [False, True],
    }


def _autoencoder_space(estimator):
    return {**_coder_space(estimator), "noise": uniform(0.0, 0.5)}


def _variational_space(estimator):
    return {**_coder_space(estimator), "beta": loguniform(0.1, 10.0)}


def _resnet_space(estimator):
    space = {
        "n_blocks": [1, 2, 3, 4],
        "dropout": uniform(0.0, 0.5),
        "residual_dropout": [0.0, 0.1, 0.2, 0.3],
    }
    if estimator.image_shape is not None:
        return {**space, "n_blocks": [1, 2, 3], "stem_width": [8, 16, 32]}
    return {**space, "width": [64, 128, 256, 512], "hidden_factor": [1.0, 2.0, 4.0]}


_SPACES = {
    Autoencoder: _autoencoder_space,
    VariationalAutoencoder: _variational_space,
    ResNetClassifier: _resnet_space,
    ResNetRegressor: _resnet_space,
}
