"""Fitted estimators as torch modules from samples to all outputs of a graph, for export."""

import copy
import functools

import torch
from torch import nn

from skdeep.base import DeepEstimator
from skdeep.cluster import SelfOrganizingMap
from skdeep.ensemble import DeepEnsembleClassifier, DeepEnsembleRegressor
from skdeep.nn._unit_distances import UnitDistances
from skdeep.persistence._onnx_heads import HEADS
from skdeep.persistence._onnx_scalers import CategoryCodes, scaler_layer
from skdeep.semi_supervised import (
    ClusterPretrainedClassifier,
    ClusterPretrainedRegressor,
)


class NetGraph(nn.Module):
    """Scaler, net and outputs of a ``DeepEstimator``.

    **Shape**: (batch, ...) -> tuple of (batch, n) each, labels as codes (batch,)

    Parameters
    ----------
    estimator : DeepEstimator
    names : sequence of str
        Names of the outputs, see ``HEADS``.
    dtype : torch.dtype
        Floating-point type of the outputs.
    coded : set of int
        Indices of the columns of ``X`` that contain codes of categories already.
    """

    def __init__(self, estimator, names, dtype, coded=frozenset()):
        super().__init__()
        estimator = on_cpu(estimator)
        self.dtype = dtype
        self.codes = category_codes(estimator, coded)
        self.scaler = scaler_layer(estimator._scaler)
        self.net = estimator.module_
        heads = {}
        for kind, make_heads in HEADS:
            if isinstance(estimator, kind):
                heads |= make_heads(estimator, self.scaler)
        if missing := [name for name in names if name not in heads]:
            raise ValueError(
                f"{missing[0]} of {type(estimator).__name__} cannot be exported to ONNX, as it was "
                f"fitted with loss={estimator._fitted_loss!r}. std requires loss='gaussian', and "
                "quantiles require loss='quantile'."
            )
        self.heads = [heads[name] for name in names]

    def forward(self, X):
        """(batch, ...) -> tuple of outputs."""
        X = X.flatten(1)
        if self.codes is not None:
            X = self.codes(X)
        x = self.scaler(X)
        return tuple(as_output(head(x, X), self.dtype) for head in self.heads)


class EnsembleGraph(nn.Module):
    """Mean and standard deviation of a deep ensemble's outputs; parameters as in ``NetGraph``."""

    def __init__(self, ensemble, names, dtype, coded=frozenset()):
        super().__init__()
        self.names, self.dtype = names, dtype
        is_classifier = hasattr(ensemble, "predict_proba")
        self.is_multilabel = is_classifier and ensemble._is_multilabel
        wanted = ["probabilities" if is_classifier else "variable"]
        wanted += [name for name in ("quantiles", "embedding") if name in names]
        self.has_std = "std" in names and getattr(ensemble.estimators_[0], "_has_std", False)
        wanted += ["std"] if self.has_std else []
        self.wanted = wanted
        self.members = nn.ModuleList(
            NetGraph(member, wanted, torch.float64, coded) for member in ensemble.estimators_
        )

    def forward(self, X):
        """(batch, ...) -> tuple of outputs."""
        parts = zip(*(member(X) for member in self.members), strict=True)
        found = dict(zip(self.wanted, map(torch.stack, parts), strict=True))
        values = found[self.wanted[0]]
        mean = values.mean(dim=0)
        results = {"variable": mean, "probabilities": mean}
        if "label" in self.names:
            results["label"] = (mean > 0.5).long() if self.is_multilabel else mean.argmax(dim=1)
        if "std" in self.names:
            variance = (values - mean).square().mean(dim=0)
            if self.has_std:
                variance = variance + found["std"].square().mean(dim=0)
            results["std"] = variance.sqrt()
        if "quantiles" in self.names:
            results["quantiles"] = found["quantiles"].mean(dim=0)
        if "embedding" in self.names:
            results["embedding"] = found["embedding"].transpose(0, 1).flatten(1)
        return tuple(as_output(results[name], self.dtype) for name in self.names)


class MapGraph(nn.Module):
    """Distances to the units of a self-organizing map; parameters as in ``NetGraph``."""

    def __init__(self, estimator, names, dtype):
        super().__init__()
        self.names, self.dtype = names, dtype
        self.metric = estimator._fitted_params["metric"]
        self.has_missing = estimator.missing == "ignore"
        self.register_buffer("weights", torch.tensor(estimator._weights, dtype=dtype))
        self.register_buffer("center", torch.tensor(estimator._center, dtype=dtype))
        labels = getattr(estimator, "unit_labels_", None)
        self.register_buffer("unit_labels", None if labels is None else torch.tensor(labels))

    def forward(self, X):
        """(batch, n_features) -> tuple of outputs."""
        units = UnitDistances(self.weights, self.metric, has_missing=self.has_missing)
        x = X.to(self.dtype) - self.center
        label, _ = units.nearest(x)
        if self.unit_labels is not None:
            label = self.unit_labels[label]
        results = {"label": label, "variable": units.all(x)}
        return tuple(results[name] for name in self.names)


@functools.singledispatch
def make_graph(estimator, names, dtype, coded=frozenset()):
    """Make the module of a fitted estimator; parameters as in ``NetGraph``."""
    raise TypeError(f"{type(estimator).__name__} has no ONNX graph.")


@make_graph.register(ClusterPretrainedClassifier)
@make_graph.register(ClusterPretrainedRegressor)
def _pretrained_graph(estimator, names, dtype, coded=frozenset()):
    return NetGraph(estimator.estimator_, names, dtype, coded)


@make_graph.register(SelfOrganizingMap)
def _map_graph(estimator, names, dtype, coded=frozenset()):
    return MapGraph(estimator, names, dtype)


make_graph.register(DeepEstimator, NetGraph)
make_graph.register(DeepEnsembleClassifier, EnsembleGraph)
make_graph.register(DeepEnsembleRegressor, EnsembleGraph)


def on_cpu(estimator):
    """Return the estimator, or a copy of it if its net is on another device."""
    if estimator.device_ == "cpu":
        return estimator
    estimator = copy.copy(estimator)
    estimator.module_, estimator.device_ = estimator.module_.cpu(), "cpu"
    return estimator


def as_output(result, dtype):
    """Convert an output to the floating-point type of the graph; integers stay as they are."""
    return result.to(dtype) if result.is_floating_point() else result


def category_codes(estimator, coded):
    """Return the module that encodes numeric categories; None if there are none."""
    codec = getattr(estimator, "_codec", None)
    if codec is None:
        return None
    known = {
        column: [one for one in categories if not isinstance(one, str)]
        for column, categories in zip(
            codec.is_categorical.nonzero()[0].tolist(), codec.categories, strict=True
        )
        if column not in coded
    }
    return CategoryCodes(known) if known else None
