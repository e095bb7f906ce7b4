"""Class labels as targets, class weights, and logits as probabilities."""

from numbers import Real

import numpy as np
from scipy.special import expit, log_expit, log_softmax, logit, softmax
from sklearn.utils.class_weight import compute_class_weight

from skdeep.utils._validation import is_missing

_SMALLEST_SHARE = 1e-6
# Labels of multilabel targets, unlike classes, may first occur in a later call.
_RARE_LABEL = 1e-3


def kind_of_target(labels, codes):
    """``"binary"``, ``"multiclass"`` or ``"multilabel"``; a single class is ``"multiclass"``."""
    if codes.ndim == 2:
        return "multilabel"
    return "binary" if len(labels) == 2 else "multiclass"


def announce(classes, known):
    """Check and sort the classes passed to ``partial_fit``: those of the first call."""
    if classes is None:
        return None
    classes = np.asarray(classes)
    if not classes.size or not classes.ndim or len(set(map(type, classes.ravel().tolist()))) > 1:
        raise ValueError(
            f"classes must be a list of labels of one kind; got {classes.tolist()!r}. Pass all "
            "class labels that later calls may contain."
        )
    classes = np.unique(classes)
    if any(map(is_missing, classes.tolist())):
        raise ValueError(f"classes must not contain missing labels; got {classes.tolist()!r}.")
    if known is not None and not np.array_equal(classes, known):
        raise ValueError(
            f"classes must be those of the first call, {known.tolist()}; got {classes.tolist()}. "
            "Fit a clone instead."
        )
    return classes


def class_weights(codes, class_weight, classes, sample_weight):
    """Weight of each sample, including the weight of its class."""
    if codes.ndim == 2:
        raise ValueError(
            f"class_weight must be None for multilabel y; got {class_weight!r}. Use sample_weight "
            "instead."
        )
    if class_weight == "balanced":
        mass = np.bincount(codes, weights=sample_weight, minlength=len(classes))
        weight = np.zeros(len(mass))
        np.divide(mass.sum() / np.count_nonzero(mass), mass, out=weight, where=mass > 0)
    else:
        wrong = [one for one in class_weight.values() if not isinstance(one, Real)]
        if wrong:
            raise ValueError(f"class_weight must contain numbers only; got {wrong[0]!r}.")
        weight = compute_class_weight(class_weight, classes=classes, y=classes[codes])
    weight = weight[codes] if sample_weight is None else weight[codes] * sample_weight
    if not (np.isfinite(weight).all() and weight.min() >= 0 and weight.any()):
        raise ValueError(
            "class_weight, times sample_weight, must be finite, not negative and not zero for all "
            f"samples; got {class_weight!r}."
        )
    return weight


def log_odds(targets, weight, kind, n_classes):
    """Logits of the class frequencies, by weight; tuple of float.

    Targets are those that ``as_targets`` returns.
    """
    if kind == "multilabel":
        shares = np.average(targets.astype(np.float64), axis=0, weights=weight)
        return tuple(logit(shares.clip(_RARE_LABEL, 1 - _RARE_LABEL)).tolist())
    codes = targets.ravel().astype(int)
    mass = np.bincount(codes, weights=weight, minlength=n_classes)
    shares = (mass / mass.sum()).clip(_SMALLEST_SHARE)
    shares[mass == 0] = 1 / n_classes  # in classes, but not in the data yet
    logits = np.log(shares)
    if kind == "binary":
        return (float(logits[1] - logits[0]),)
    return tuple((logits - logits.mean()).tolist())


def as_targets(codes, kind):
    """Codes as the loss expects them: (n_samples,) int for multiclass, else a float matrix."""
    if kind == "multiclass":
        return codes.astype(np.int64)
    return codes.reshape(len(codes), -1).astype(np.float32)


def probabilities(logits, kind, *, logarithm=False):
    """Probabilities of the classes, or their logarithms; (n_samples, n_classes)."""
    if kind == "multiclass":
        return log_softmax(logits, axis=1) if logarithm else softmax(logits, axis=1)
    function = log_expit if logarithm else expit
    if kind == "binary":
        return np.hstack([function(-logits), function(logits)])
    return function(logits)


def decide(logits, kind, classes):
    """Most probable class of each sample; for multilabel, the labels more probable than not."""
    if kind == "multiclass":
        return classes[logits.argmax(axis=1)]
    is_likely = (logits > 0).astype(int)
    return is_likely if kind == "multilabel" else classes[is_likely[:, 0]]
