"""Nets, data and contenders of the searches in batched_search.py and gpu.py."""

import itertools
from typing import Any, NamedTuple

import numpy as np
import torch
from _data import digits
from _harness import limited_threads, synchronize
from _loops import PlainAutoencoder, PlainResNet, train
from sklearn.base import is_classifier
from sklearn.model_selection import StratifiedKFold
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from skdeep.decomposition import Autoencoder
from skdeep.neural_network import ResNetClassifier

__all__ = [
    "NETS",
    "Data",
    "Net",
    "bare_search",
    "digits_data",
    "make_net",
    "plain_skorch",
    "search",
    "training",
]

EPOCHS = {"grid": 20, "halving": 27, "large": 3, "border": 20}
NETS = ("autoencoder", "dense", "residual")


class Net(NamedTuple):
    """An estimator of skdeep, and class and arguments of the same net of torch layers."""

    estimator: Any
    module: type
    sizes: dict


class Data(NamedTuple):
    """Samples, labels or None, and the splits of a search."""

    X: np.ndarray
    y: np.ndarray | None
    splits: list


def training(part, args, batch_size=128):
    """Parameters for which an estimator is equivalent to a hand-written loop."""
    n_epochs = args.epochs or EPOCHS[part]
    length = {"max_epochs": n_epochs, "n_iter_no_change": n_epochs, "tol": 0.0}
    plain = {"weight_decay": 0.0, "lr_schedule": "constant", "feature_scaling": None}
    rest = {"batch_size": batch_size, "device": args.device, "random_state": 0}
    return {**length, **plain, **rest}


def make_net(name, args):
    """One of the nets of ``grid``."""
    options = training("grid", args)
    if name == "autoencoder":
        estimator = Autoencoder(10, hidden_layer_sizes=(32,), **options)
        return Net(estimator, PlainAutoencoder, {"widths": (64, 32, 10)})
    if name == "dense":
        sizes = {"n_blocks": 1, "width": 32, "norm": "layer", "dropout": 0.0}
    else:
        sizes = {"n_blocks": 2, "width": 32, "norm": "batch", "dropout": args.dropout}
    rest = {"numerical_embedding": None, "early_stopping": False, "label_smoothing": 0.0}
    estimator = ResNetClassifier(**sizes, **rest, hidden_factor=1, **options)
    return Net(estimator, PlainResNet, {"n_features": 64, "n_outputs": 10, **sizes})


def digits_data(*, labels):
    """Digits in three folds."""
    X, y = digits()
    return Data(X, y if labels else None, list(StratifiedKFold(3).split(X, y)))


def search(kind, estimator, data, grid, **options):
    """Fit a search; a failed fit ends the benchmark."""
    options = {"cv": data.splits, "refit": False, "error_score": "raise", **options}
    return kind(estimator, grid, **options).fit(data.X, data.y)


def plain_skorch(net):
    """The same net and training in skorch, with skorch's other defaults."""
    options = {f"module__{name}": value for name, value in net.sizes.items()}
    kind = NeuralNetRegressor
    if is_classifier(net.estimator):
        kind, options["criterion"] = NeuralNetClassifier, nn.CrossEntropyLoss
    return kind(
        net.module,
        **options,
        optimizer=torch.optim.Adam,
        max_epochs=net.estimator.max_epochs,
        batch_size=net.estimator.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        device=net.estimator.device,
        verbose=0,
    )


def bare_search(net, data, lrs):
    """Train all candidates on all folds in a hand-written loop."""
    device, options = net.estimator.device, {"weight_decay": 0.0}
    options["epochs"], options["batch_size"] = net.estimator.max_epochs, net.estimator.batch_size
    tensors = [torch.from_numpy(one).to(device) for one in (data.X, data.y) if one is not None]
    folds = [torch.from_numpy(indices).to(device) for indices, _ in data.splits]
    with limited_threads(1):  # two are slower for such small nets
        for lr, fold in itertools.product(lrs, folds):
            module = net.module(**net.sizes).to(device)
            train(module, *(one[fold] for one in tensors), lr=lr, **options)
    synchronize(device)
