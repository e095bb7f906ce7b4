"""Checkpoints: a fit that was killed is continued by the same call, with the same bits."""

import errno
import os
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
from skorch.callbacks import EarlyStopping

from skdeep.cluster import DeepEmbeddedClustering
from skdeep.decomposition import Autoencoder
from skdeep.ensemble import ClusterwiseRegressor, DeepEnsembleClassifier
from skdeep.generative import GANSampler
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier, ResNetRegressor
from skdeep.semi_supervised import ClusterPretrainedClassifier
from skdeep.utils import all_estimators

SMALL = {"batch_size": 16, "device": "cpu", "random_state": 0}


def _autoencoder(**params):
    return Autoencoder(2, **{"max_epochs": 6, **SMALL, **params})


def _net(**params):
    return ResNetClassifier(width=8, n_blocks=1, **{"max_epochs": 4, **SMALL, **params})


def _weights(estimator):
    return {name: one.numpy() for name, one in estimator.module_.state_dict().items()}


def _assert_same_weights(actual, expected):
    for name, value in _weights(expected).items():
        np.testing.assert_array_equal(_weights(actual)[name], value, err_msg=name)


# Killed and continued ---------------------------------------------------------------------------

# Fits each estimator of a list of (name, parameters) with a checkpoint folder of its own, kills
# itself after a number of written files, and saves the fitted estimators if it survives.
_PROGRAM = """
import os, pathlib, pickle, signal, sys
import torch
import skdeep.utils._files as files

torch.set_num_threads(1)
n_files, sign = int(sys.argv[1]), int(sys.argv[2])
write = files.write_atomically

def write_and_die(path, data):
    global n_files
    write(path, data)
    n_files -= 1
    if not n_files:
        os.kill(os.getpid(), sign)

import skdeep._checkpoint
skdeep._checkpoint.write_atomically = write_and_die
estimators, X, y = pickle.loads(pathlib.Path('work.pkl').read_bytes())
for estimator in estimators:
    estimator.fit(X, y)
pathlib.Path('fitted.pkl').write_bytes(pickle.dumps(estimators))
"""
