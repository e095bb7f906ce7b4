"""Autoencoders of other libraries: time of ``fit`` and held-out error for one and the same net.

All train the same layer sizes with relu, Adam at the same step size, the same batches per epoch
and the same number of epochs, which is checked by counting the optimisers' steps; what could end
a training early is off. Rows lie in [0, 1] and
errors are mean squared errors per feature of rows that were not trained on. Times are ratios to
a training loop written by hand in torch (fused Adam, in-memory batches).

What differs, because the libraries leave no choice:

- ``MLPRegressor(X, X)`` and PyOD apply relu at the bottleneck as well, which costs them codes
  that are zero; the others have a linear bottleneck.
- PyOD leaves out the last incomplete batch of an epoch. Training rows are cut to a multiple of
  the batch size, so that none of the contenders has such a batch.
- PyOD's ``fit`` ends with a pass over the rows that rates them as outliers. It is timed with and
  without this pass. Its own scaling, batch normalisation, dropout and weight decay are off.
- Initial weights are each library's own.

Every contender gets the better of one and all threads, found in a short run; skdeep chooses by
itself. skdeep stands twice in the table: with ``feature_scaling=None``, which is the same task as
the others', and with its default scaling.

    pip install pyod clustpy                     # the peers; what is missing is named in the table
    python benchmarks/autoencoder_peers.py
    python benchmarks/autoencoder_peers.py --data digits --epochs 5 --repeats 1     # a smoke test

ClustPy imports torchvision, which must be built for the installed torch.
MNIST comes from the folder in the environment variable SKDEEP_DATA, else from OpenML.
"""

import contextlib
import importlib
import io
import itertools
import time
import warnings

import numpy as np
import torch
from _common import (
    alternate,
    best_threads,
    digits,
    limited_threads,
    make_parser,
    median_ratio,
    mnist,
    print_header,
    print_table,
    save_json,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from skorch import NeuralNetRegressor
from torch.optim.optimizer import register_optimizer_step_post_hook

from skdeep.decomposition import Autoencoder

HIDDEN = {"digits": (32,), "mnist": (256, 64)}
EPOCHS = {"digits": 50, "mnist": 10}
N_COMPONENTS = 10


class PlainNet(torch.nn.Module):
    """Dense autoencoder of torch's own layers."""

    def __init__(self, widths):
        super().__init__()
        self.encoder = _dense(widths)
        self.decoder = _dense(widths[::-1])

    def forward(self, x):
        return self.decoder(self.encoder(x))


def _dense(widths):
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


class BareLoop:
    """Training loop written by hand."""

    def __init__(self, widths, options, seed):
        self.widths, self.options, self.seed = widths, options, seed

    def fit(self, X):
        torch.manual_seed(self.seed)
        self.net = PlainNet(self.widths)
        optimizer = torch.optim.Adam(self.net.parameters(), lr=self.options["lr"], fused=True)
        x = torch.from_numpy(X)
        for _ in range(self.options["epochs"]):
            for index in torch.randperm(len(x)).split(self.options["batch_size"]):
                batch = x.index_select(0, index)
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(self.net(batch), batch).backward()
                optimizer.step()
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
    """scikit-learn's perceptron, trained to give its input."""

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
            PlainNet,
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
    """PyOD's autoencoder; ``train_seconds`` is its training alone."""

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
    "bare torch loop": BareLoop,
    "skdeep, feature_scaling=None": Skdeep,
    "skdeep, default scaling": SkdeepScaled,
    "scikit-learn MLPRegressor": SklearnMLP,
    "ClustPy FeedforwardAutoencoder": ClustPy,
    "PyOD AutoEncoder": PyOD,
    "plain skorch": Skorch,
}


def load(name, batch_size, n_mnist):
    """Rows to train on, a multiple of the batch size, and held-out rows."""
    if name == "digits":
        X, _ = digits()
        X_train, X_test = X[:1400], X[1400:]
    else:
        X_train, _, X_test, _ = mnist(n_train=n_mnist)
    return X_train[: len(X_train) // batch_size * batch_size], X_test


def missing_peers():
    """Name of each contender that cannot be imported, and why."""
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
    """Raise unless a training takes just so many steps of a torch optimiser."""
    steps = []
    handle = register_optimizer_step_post_hook(lambda *_: steps.append(1))
    try:
        run_short()
    finally:
        handle.remove()
    if len(steps) != expected:
        raise RuntimeError(f"expected {expected} steps, counted {len(steps)}")


def compare(name, args, missing):
    """Rows of the table for one data set."""
    X_train, X_test = load(name, args.batch_size, args.mnist_rows)
    widths = (X_train.shape[1], *HIDDEN[name], N_COMPONENTS)
    options = {
        "epochs": args.epochs or EPOCHS[name],
        "batch_size": args.batch_size,
        "lr": args.lr,
    }
    present = {key: one for key, one in CONTENDERS.items() if key not in missing}
    part, short = X_train[: 10 * args.batch_size], {**options, "epochs": 2}
    threads = {}
    for key, one in present.items():

        def run_short(one=one):
            return one(widths, short, 0).fit(part)

        check_steps(run_short, expected=0 if one is SklearnMLP else 20)
        threads[key] = None if issubclass(one, Skdeep) else best_threads(run_short)
    runs = {key: [] for key in present}

    def run(key):
        with limited_threads(threads[key]):
            runs[key].append(present[key](widths, options, len(runs[key])).fit(X_train))

    contenders = {key: lambda key=key: run(key) for key in present}
    seconds = alternate(contenders, repeats=args.repeats, warmups=0)
    if "PyOD AutoEncoder" in runs:
        seconds["PyOD, its training alone"] = [
            one.train_seconds for one in runs["PyOD AutoEncoder"]
        ]
        runs["PyOD, its training alone"] = runs["PyOD AutoEncoder"]
        threads["PyOD, its training alone"] = threads["PyOD AutoEncoder"]
    print_table(
        rows := [
            _row(name, key, times, seconds, threads[key], runs[key], X_test)
            for key, times in seconds.items()
        ],
        title=(
            f"{name}: {len(X_train)} rows, {'-'.join(map(str, widths))} and back, "
            f"{options['epochs']} epochs, batches of {args.batch_size}, {len(X_test)} held-out rows"
        ),
    )
    return rows


def _row(data, key, times, seconds, n_threads, runs, X_test):
    errors = [float(np.mean(np.square(one.reconstruct(X_test) - X_test))) for one in runs]
    return {
        "data": data,
        "what": key,
        "threads": n_threads or "own choice",
        "median s": float(np.median(times)),
        "ratio to bare": median_ratio(times, seconds["bare torch loop"]),
        "ratio to skdeep": median_ratio(times, seconds["skdeep, feature_scaling=None"]),
        "held-out MSE": float(np.mean(errors)),
        "spread of MSE": float(np.std(errors)),
        "runs": len(runs),
    }


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--data", nargs="+", choices=list(HIDDEN), default=list(HIDDEN))
    parser.add_argument("--repeats", type=int, default=5, help="runs, each with its own seed")
    parser.add_argument("--epochs", type=int, default=None, help=f"default: {EPOCHS}")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--mnist-rows", type=int, default=20000)
    args = parser.parse_args()
    print_header("Autoencoders of other libraries, the same net on the CPU")
    missing = missing_peers()
    results = []
    for name in args.data:
        results += compare(name, args, missing)
    for name, reason in missing.items():
        print(f"\nnot measured: {name} ({reason})\n  to measure it: pip install pyod clustpy")
    save_json(args.json, results=results, missing=missing)


if __name__ == "__main__":
    main()
