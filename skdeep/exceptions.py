"""Custom errors and warnings of skdeep."""

__all__ = ["DeviceUnavailableWarning", "DivergenceError", "ModeCollapseWarning", "PersistenceError"]


class DivergenceError(ValueError):
    """Error raised when the loss or a weight stops being finite during training.

    The message names the epoch and the learning rate. An unfitted estimator remains unfitted; a
    fitted one keeps the state that it had before the call.
    """


class PersistenceError(ValueError):
    """Error raised when an estimator cannot be saved, or a file cannot be loaded safely.

    The message says why: the file is damaged, was not written by skdeep, was written by a newer
    version, or contains types that are not trusted. Nothing is restored from such a file.
    """


class DeviceUnavailableWarning(UserWarning):
    """Warning used when an estimator is loaded on the CPU as its device is not available."""


class ModeCollapseWarning(UserWarning):
    """Warning used when generated samples are far less diverse than the real ones.

    At the end of training, up to 1000 generated samples are compared with as many real samples of
    the same conditions, after scaling. The warning is raised if the variance of the generated
    samples within conditions is less than 1 % of that of the real samples. With at least 100
    samples, it is also raised if precision [1]_ is at least 50 % and coverage [2]_ is below 30 %
    in the plane of the first two principal components of the real samples. Precision is the
    fraction of generated samples, and coverage the fraction of real samples, for which the distance
    between a generated and a real sample is no larger than the distance from that real sample to
    its fifth nearest real neighbor.

    References
    ----------
    .. [1] Kynkäänniemi et al. (2019), "Improved Precision and Recall Metric for Assessing
       Generative Models", NeurIPS.
    .. [2] Naeem et al. (2020), "Reliable Fidelity and Diversity Metrics for Generative Models",
       ICML.
    """
