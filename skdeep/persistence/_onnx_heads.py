"""Outputs of the graphs of nets by name.

Heads are made by functions of an estimator and of its scaler, which return functions of scaled and
given samples.
"""

import functools

import torch
from torch.nn import functional as F

from skdeep._encoder import EncoderMixin
from skdeep.cluster._base import DeepClusterMixin, HardClusterMixin
from skdeep.decomposition import Autoencoder, DeepInfoMax, VariationalAutoencoder
from skdeep.decomposition._base import CoderMixin
from skdeep.generative import GANFeatureExtractor, GANSampler
from skdeep.neural_network import ResNetClassifier, ResNetRegressor
from skdeep.neural_network._base import ResNetMixin
from skdeep.outlier_detection import AutoencoderOutlierDetector, DiffusionTimeDetector
from skdeep.outlier_detection._base import OutlierDetectorMixin
from skdeep.persistence._onnx_scalers import scaler_layer
from skdeep.semi_supervised import FewLabelsClassifier


def _code(estimator, scaler):
    return {"variable": lambda x, X: estimator.module_.encode(x)}


def _reconstruction(estimator, scaler):
    def reconstruct(x, X):
        return scaler.inverse(estimator.module_.reconstruct(x))

    def score(x, X):
        X_hat = reconstruct(x, X).to(X.dtype if X.is_floating_point() else torch.float64)
        error = _reconstruction_error(estimator)
        return -error(X.double(), X_hat.double()).mean(dim=1, keepdim=True)

    heads = {"reconstruction": reconstruct}
    return (
        heads if isinstance(estimator, VariationalAutoencoder) else heads | {"score_samples": score}
    )


def _reconstruction_error(estimator):
    """Return the loss of each entry in the units of ``X``, as ``score_samples`` has it."""
    loss = "mse"
    if isinstance(estimator, Autoencoder):
        loss = estimator._net_options["hyperparameters"]["loss"]
    if loss == "mse":
        return lambda X, X_hat: (X - X_hat).square()
    if loss == "huber":
        return lambda X, X_hat: F.huber_loss(X_hat, X, reduction="none")
    single = torch.finfo(torch.float32)

    def cross_entropy(X, X_hat):
        p = X_hat.clamp(single.tiny, 1 - single.eps / 2)
        one = torch.special.xlogy(X, p)
        return -one if loss == "multinomial" else -(one + torch.special.xlog1py(1 - X, -p))

    return cross_entropy


def _information(estimator, scaler):
    return {"score_samples": lambda x, X: estimator._information(x)}


def _cluster(estimator, scaler):
    return {"label": lambda x, X: estimator._assignment()(x).argmax(dim=1)}


def _cluster_probabilities(estimator, scaler):
    return {"probabilities": lambda x, X: estimator._assignment()(x)}


def _few_labels(estimator, scaler):
    module = estimator.module_
    return {
        "label": lambda x, X: module.log_proba(x).argmax(dim=1),
        "probabilities": lambda x, X: module.log_proba(x).double().softmax(dim=1),
    }


def _embedding(estimator, scaler):
    return {"embedding": lambda x, X: estimator.module_.trunk(x)}


def _class(estimator, scaler):
    kind, module = estimator._target_kind, estimator.module_

    def label(x, X):
        logits = module(x)
        if kind == "multiclass":
            return logits.argmax(dim=1)
        is_likely = (logits > 0).long()
        return is_likely if kind == "multilabel" else is_likely[:, 0]

    def probabilities(x, X):
        logits = module(x).double()
        if kind == "multiclass":
            return logits.softmax(dim=1)
        if kind == "binary":
            logits = torch.cat([-logits, logits], dim=1)
        return logits.sigmoid()

    return {"label": label, "probabilities": probabilities}


def _target(estimator, scaler):
    head = estimator._head
    target = scaler_layer(estimator._scaler.target)

    def results(x):
        return head.results(estimator.module_(x))  # (batch, n_outputs, width)

    def quantiles(x, X):
        found = torch.stack([target.inverse(one) for one in results(x).unbind(-1)], dim=-1)
        return found if estimator._has_many_outputs else found[:, 0]

    heads = {"variable": lambda x, X: target.inverse(head.point(results(x)))}
    if head.has_std:
        heads["std"] = lambda x, X: results(x)[..., 1].double() * target.scale
    if head.levels is not None:
        heads["quantiles"] = quantiles
    return heads


def _critic_features(estimator, scaler):
    return {"variable": lambda x, X: estimator._features(x)}


def _critic_score(estimator, scaler):
    condition = getattr(estimator, "class_shares_", None)
    return {"score_samples": lambda x, X: estimator._judge(x, condition)}


@functools.singledispatch
def _outlier_score(estimator, x):
    """Scores as ``score_samples`` returns them, (batch, 1)."""
    raise TypeError(f"{type(estimator).__name__} has no ONNX graph.")


@_outlier_score.register(AutoencoderOutlierDetector)
def _error_score(estimator, x):
    errors = estimator.module_.errors(x, scale=torch.tensor(estimator._error_scale))
    return -errors.double().square().mean(dim=1, keepdim=True).sqrt()


@_outlier_score.register(DiffusionTimeDetector)
def _time_score(estimator, x):
    return -estimator.module_.predict(x).double()


def _outliers(estimator, scaler):
    def decide(x, X):
        return _outlier_score(estimator, x) - estimator.offset_

    return {
        "label": lambda x, X: torch.where(decide(x, X) < 0, -1, 1),
        "scores": decide,
        "score_samples": lambda x, X: _outlier_score(estimator, x),
    }


#: Functions that make the heads of each kind of estimator.
HEADS = [
    (EncoderMixin, _code),
    (CoderMixin, _reconstruction),
    (DeepInfoMax, _information),
    (HardClusterMixin, _cluster),
    (DeepClusterMixin, _cluster_probabilities),
    (FewLabelsClassifier, _few_labels),
    (ResNetMixin, _embedding),
    (ResNetClassifier, _class),
    (ResNetRegressor, _target),
    (GANFeatureExtractor, _critic_features),
    (GANSampler, _critic_score),
    (OutlierDetectorMixin, _outliers),
]
