"""Autoencoders of other libraries: time of ``fit`` and held-out error of the same net.

All contenders train the same layer sizes with relu, Adam with the same learning rate, the same
number of batches per epoch and of epochs, which is verified by counting the optimizer's steps.
Early stopping is disabled. Features lie in [0, 1], and errors are mean squared errors per feature
on held-out samples. Times are relative to a hand-written training loop in torch (fused Adam,
in-memory batches).

Differences that the libraries do not allow to avoid:

- ``MLPRegressor(X, X)`` and PyOD also apply relu at the bottleneck, so that some codes are always
  zero; the others have a linear bottleneck.
- PyOD drops the last incomplete batch of an epoch. The number of training samples is therefore a
  multiple of the batch size for all contenders.
- PyOD's ``fit`` ends with a pass that computes outlier scores of the samples. It is timed with and
  without this pass. Its scaling, batch normalization, dropout and weight decay are disabled.
- Each library uses its own initial weights.

Every contender uses one or all threads, whichever is faster in a short run; skdeep chooses the
number itself. skdeep appears twice in the table: with ``feature_scaling=None``, the same task as
for the others, and with its default scaling.

    pip install pyod clustpy                     # the peers; missing ones are listed in the table
    python benchmarks/autoencoder_peers.py
    python benchmarks/autoencoder_peers.py --smoke

ClustPy imports torchvision, which must be built for the installed torch.
MNIST comes from the folder in the environment variable SKDEEP_DATA, else from OpenML.
"""

import contextlib
import importlib
import io
import time
import warnings

import numpy as np
import torch
from _data import digits, mnist
from _harness import (
    Report,
    alternate,
    best_threads,
    make_parser,
    median,
    median_ratio,
    on_threads,
    parse,
)
from _loops import PlainAutoencoder, train
from _records import print_missing
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from skorch import NeuralNetRegressor
from torch.optim.optimizer import register_optimizer_step_post_hook

from skdeep.decomposition import Autoencoder

HIDDEN = {"digits": (32,), "mnist": (256, 64)}
EPOCHS = {"digits": 50, "mnist": 10}
N_COMPONENTS = 10
BARE, SKDEEP, PYOD = "bare torch loop", "skdeep, feature_scaling=None", "PyOD AutoEncoder"


# Contenders: each takes widths, options and a seed -----------------------------------------------


class BareLoop:
    """Hand-written training loop."""

    def __init__(self, widths, options, seed):
        self.widths, self.options, self.seed = widths, options, seed

    def fit(self, X):
        torch.manual_seed(self.seed)
        net, adam = PlainAutoencoder(self.widths), torch.optim.Adam
        self.net = train(net, torch.from_numpy(X), optimizer=adam, **self.options)
        return self

    def reconstruct(self, X):
        with torch.inference_mode():
            return self.net(torch.from_numpy(X)).numpy()


class Skdeep:
    """skdeep's autoencoder."""

    feature_scaling = None

    def __init__(self, widths, options, seed):
        self.model = Autoencoder(
            widths[-1],
            hidden_layer_sizes=widths[1:-1],
            feature_scaling=self.feature_scaling,
            max_epochs=options["epochs"],
            n_iter_no_change=options["epochs"],
            batch_size=options["batch_size"],
            lr=options["lr"],
            optimizer="adam",
            device="cpu",
            random_state=seed,
        )

    def fit(self, X):
        self.model.fit(X)
        assert self.model.n_iter_ == self.model.max_epochs
        return self

    def reconstruct(self, X):
        return self.model.reconstruct(X)


class SkdeepScaled(Skdeep):
    """skdeep's autoencoder with its default scaling."""

    feature_scaling = "global"


class SklearnMLP:
    """scikit-learn's ``MLPRegressor``, trained to reconstruct its input."""

    def __init__(self, widths, options, seed):
        self.model = MLPRegressor(
            hidden_layer_sizes=(*widths[1:], *widths[-2:0:-1]),
            activation="relu",
            solver="adam",
            alpha=0.0,
            batch_size=options["batch_size"],
            learning_rate_init=options["lr"],
            max_iter=options["epochs"],
            n_iter_no_change=options["epochs"] + 1,
            random_state=seed,
        )

    def fit(self, X):
        with warnings.catch_warnings():
            # the number of epochs is meant to end the training
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model.fit(X, X)
        assert self.model.t_ == self.model.max_iter * len(X)  # rows seen
        return self

    def reconstruct(self, X):
        return self.model.predict(X)


class Skorch:
    """Plain skorch around torch's layers, with its default loader of single rows."""

    def __init__(self, widths, options, seed):
        self.seed = seed
        self.model = NeuralNetRegressor(
            PlainAutoencoder,
            module__widths=widths,
            optimizer=torch.optim.Adam,
            lr=options["lr"],
            max_epochs=options["epochs"],
            batch_size=options["batch_size"],
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        )

    def fit(self, X):
        torch.manual_seed(self.seed)
        self.model.fit(X, X)
        assert len(self.model.history) == self.model.max_epochs
        return self

    def reconstruct(self, X):
        return self.model.predict(X)


class ClustPy:
    """ClustPy's feed-forward autoencoder."""

    requires = ("clustpy.deep.neural_networks",)

    def __init__(self, widths, options, seed):
        networks = importlib.import_module("clustpy.deep.neural_networks")
        self.options = options
        self.model = networks.FeedforwardAutoencoder(
            list(widths), activation_fn=torch.nn.ReLU, random_state=seed
        )

    def fit(self, X):
        with contextlib.redirect_stderr(io.StringIO()):  # it always shows a bar
            self.model.fit(
                n_epochs=self.options["epochs"],
                optimizer_class=torch.optim.Adam,
                optimizer_params={"lr": self.options["lr"]},
                batch_size=self.options["batch_size"],
                data=X,
            )
        return self

    def reconstruct(self, X):
        with torch.inference_mode():
            return self.model(torch.from_numpy(X)).numpy()


class PyOD:
    """PyOD's autoencoder; ``train_seconds`` is the time of training only."""

    requires = ("pyod.models.auto_encoder",)

    def __init__(self, widths, options, seed):
        module = importlib.import_module("pyod.models.auto_encoder")
        self.model = module.AutoEncoder(
            preprocessing=False,
            lr=options["lr"],
            epoch_num=options["epochs"],
            batch_size=options["batch_size"],
            optimizer_name="adam",
            optimizer_params={"weight_decay": 0.0},
            device="cpu",
            random_state=seed,
            verbose=0,
            hidden_neuron_list=list(widths[1:]),
            hidden_activation_name="relu",
            batch_norm=False,
            dropout_rate=0.0,
        )
        self._train = self.model.train
        self.model.train = self._timed_train

    def _timed_train(self, loader):
        start = time.perf_counter()
        self._train(loader)
        self.train_seconds = time.perf_counter() - start

    def fit(self, X):
        self.model.fit(X)
        return self

    def reconstruct(self, X):
        with torch.inference_mode():
            return self.model.model.eval()(torch.from_numpy(X)).numpy()


CONTENDERS = {
    BARE: BareLoop,
    SKDEEP: Skdeep,
    "skdeep, default scaling": SkdeepScaled,
    "scikit-learn MLPRegressor": SklearnMLP,
    "ClustPy FeedforwardAutoencoder": ClustPy,
    PYOD: PyOD,
    "plain skorch": Skorch,
}


def load(name, args):
    """Samples to train on, a multiple of the batch size, and held-out samples."""
    if name == "digits":
        X, _ = digits()
        X_train, X_test = X[:1400], X[1400:]
    else:
        X_train, _, X_test, _ = mnist(n_train=args.mnist_rows, smoke=args.smoke)
    return X_train[: len(X_train) // args.batch_size * args.batch_size], X_test


def missing_peers():
    """Contenders that cannot be imported, with the reason."""
    missing = {}
    for name, contender in CONTENDERS.items():
        for module in getattr(contender, "requires", ()):
            try:
                importlib.import_module(module)
            except (ImportError, RuntimeError) as error:
                # torchvision of another build raises RuntimeError
                missing[name] = f"{type(error).__name__}: {error}"
    return missing


def check_steps(run_short, *, expected):
    """Raise an error unless training takes the expected number of optimizer steps."""
    steps = []
    handle = register_optimizer_step_post_hook(lambda *_: steps.append(1))
    try:
        run_short()
    finally:
        handle.remove()
    if len(steps) != expected:
        raise RuntimeError(f"expected {expected} steps, counted {len(steps)}")


def faster_threads(one, widths, options, X):
    """Number of threads for a contender, after verifying its steps in short runs."""

    def run_short():
        return one(widths, {**options, "epochs": 2}, 0).fit(X)

    n_steps = 2 * len(X) // options["batch_size"]
    check_steps(run_short, expected=0 if one is SklearnMLP else n_steps)
    return None if issubclass(one, Skdeep) else best_threads(run_short)


def compare(name, args, missing):
    """Rows of the table for one data set, and its title."""
    X_train, X_test = load(name, args)
    widths = (X_train.shape[1], *HIDDEN[name], N_COMPONENTS)
    options = {
        "epochs": args.epochs or EPOCHS[name],
        "batch_size": args.batch_size,
        "lr": args.lr,
    }
    present = {key: one for key, one in CONTENDERS.items() if key not in missing}
    part = X_train[: 10 * args.batch_size]
    threads = {key: faster_threads(one, widths, options, part) for key, one in present.items()}
    runs = {key: [] for key in present}

    def run(key):
        runs[key].append(present[key](widths, options, len(runs[key])).fit(X_train))

    contenders = {key: on_threads(threads[key], lambda key=key: run(key)) for key in present}
    seconds = alternate(contenders, args.rounds, warmups=0)
    if PYOD in runs:
        alone = "PyOD, its training alone"
        seconds[alone] = [one.train_seconds for one in runs[PYOD]]
        runs[alone], threads[alone] = runs[PYOD], threads[PYOD]
    rows = [row(key, seconds, threads[key], runs[key], X_test) for key in seconds]
    title = (
        f"{name}: {len(X_train)} samples, {'-'.join(map(str, widths))} and back, "
        f"{options['epochs']} epochs, batches of {args.batch_size}, {len(X_test)} held-out samples"
    )
    return rows, title


def row(key, seconds, n_threads, runs, X_test):
    errors = [float(np.mean(np.square(one.reconstruct(X_test) - X_test))) for one in runs]
    return {
        "what": key,
        "threads": n_threads or "own choice",
        "median s": median(seconds[key]),
        "ratio to bare": median_ratio(seconds[key], seconds[BARE]),
        "ratio to skdeep": median_ratio(seconds[key], seconds[SKDEEP]),
        "held-out MSE": float(np.mean(errors)),
        "spread of MSE": float(np.std(errors)),
        "runs": len(runs),
    }


def main():
    parser = make_parser(
        __doc__, data=HIDDEN, rounds=5, epochs=None, batch_size=100, lr=1e-3, mnist_rows=20000
    )
    args = parse(parser, rounds=1, epochs=2, mnist_rows=500)
    missing = missing_peers()
    report = Report(
        "Autoencoders of other libraries, the same net on the CPU", args, missing=missing
    )
    for name in args.data:
        rows, title = compare(name, args, missing)
        report.add(rows, title=title, data=name)
    print_missing(missing)
    if missing:
        print("to measure them: pip install pyod clustpy")


if __name__ == "__main__":
    main()
