"""Is a fit that was killed at a random moment continued with the same bits?

Each fit runs in a child process, which gets a signal at a random moment. The same call then
continues from the checkpoints, and is compared with an uninterrupted fit without checkpoints:
weights, moments of the optimizer, history and outputs. ``differ`` counts fits with any difference.
``time with checkpoints`` is that of an uninterrupted fit that saves after every epoch, relative to
one without checkpoints; the nets are tiny, so that this is the worst case.

    python benchmarks/checkpoints.py
    python benchmarks/checkpoints.py --kills 5 --signal SIGINT
    python benchmarks/checkpoints.py --smoke
"""

import functools
import signal
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from _harness import Report, make_parser, parse, verdict
from _kills import kill_and_continue, warm_up

from skdeep.cluster import IMSAT, DeepCluster, DeepEmbeddedClustering, SelfOrganizingMap
from skdeep.decomposition import Autoencoder, DeepInfoMax, VariationalAutoencoder
from skdeep.ensemble import DeepEnsembleClassifier
from skdeep.generative import GANFeatureExtractor, GANSampler, TabularGANSampler
from skdeep.neural_network import ResNetClassifier
from skdeep.semi_supervised import FewLabelsClassifier

_SMALL = {"max_epochs": 20, "batch_size": 8, "device": "cpu", "random_state": 0}
_CODER = {"hidden_layer_sizes": (8,), **_SMALL}
_GAN = {"latent_dim": 3, **_CODER}
_NET = functools.partial(ResNetClassifier, width=8, n_blocks=1, dropout=0.2, **_SMALL)
_DEC = {"pretrain_epochs": 15, "update_interval": 4, "tol": 0.0}


def _ensemble(**params):
    return DeepEnsembleClassifier(_NET(**params), 3, random_state=0)


FAMILIES = {
    "Autoencoder, early stopping": functools.partial(
        Autoencoder, 2, early_stopping=True, noise=0.2, tol=0.0, **_CODER
    ),
    "VariationalAutoencoder, onecycle": functools.partial(
        VariationalAutoencoder, 2, lr_schedule="onecycle", **_CODER
    ),
    "DeepInfoMax": functools.partial(DeepInfoMax, 2, **_CODER),
    "ResNetClassifier, refit": functools.partial(_NET, early_stopping=True, refit_full=True),
    "GANSampler": functools.partial(GANSampler, n_critic=2, **_GAN),
    "TabularGANSampler": functools.partial(TabularGANSampler, **_GAN),
    "GANFeatureExtractor": functools.partial(GANFeatureExtractor, **_GAN),
    "DeepEmbeddedClustering": functools.partial(DeepEmbeddedClustering, 2, **_DEC, **_CODER),
    "DeepCluster": functools.partial(DeepCluster, 3, update_interval=4, **_CODER),
    "IMSAT, two restarts": functools.partial(IMSAT, n_clusters=2, n_init=2, **_SMALL),
    "SelfOrganizingMap": functools.partial(SelfOrganizingMap, (3, 3), algorithm="online", **_SMALL),
    "FewLabelsClassifier": functools.partial(FewLabelsClassifier, **_SMALL),
    "deep ensemble": _ensemble,
}


def main():
    parser = make_parser(__doc__, families=FAMILIES, kills=50, signal="SIGKILL")
    args = parse(parser, families=list(FAMILIES)[:1], kills=1)
    report = Report("Fits that are killed and continued", args)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # children are forked
    X, y = np.random.default_rng(0).normal(size=(60, 6)), np.arange(60) % 2
    warm_up()
    for place, name in enumerate(args.families):
        with tempfile.TemporaryDirectory() as folder:
            counts = kill_and_continue(
                FAMILIES[name],
                X,
                y,
                Path(folder),
                args.kills,
                np.random.default_rng(place),
                getattr(signal, args.signal),
            )
        row = {"family": name, **counts, "names": " ".join(counts["names"]) or None}
        report.add([{**row, **verdict(counts["differ"], at_most=0)}])
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
