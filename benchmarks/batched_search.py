"""Batched search: wall time of a whole search compared with scikit-learn, with equal scores.

Contenders take turns in one process; ratios are ratios of medians. Parts:

- grid: values of ``lr`` on three folds of digits, without the refit. ``BatchedGridSearchCV`` is
  compared with scikit-learn's ``GridSearchCV`` on the same estimator (sequential) and on a plain
  skorch net of torch layers, with skorch's loader, callbacks and Adam, but shuffled, silent and
  without a held-out set (skorch), and with a hand-written loop: tensors in memory, fused AdamW, no
  scores (bare). Targets are in TARGETS; the batched search must not be slower than sequential for
  any size. skdeep has no plain dense classifier; dense is the closest, one residual block with
  layer norm.
- halving: ``BatchedHalvingSearchCV`` must take a third of the time of the full grid for the same
  candidates, and its choice must be within one standard error of the best in the full grid.
- ensemble: five nets in one estimator must take at most 2.5 times as long as one. California
  housing with the split of ``tabular.py`` and early stopping; a narrow net, which is
  stacked, and the default.
- large: if compute dominates, the search falls back to ordinary fits and must not be slower.
- border: time per net and step, stacked and one by one: the width from which stacking is slower.

    export OMP_NUM_THREADS=1                                    # the workers of --jobs 2 inherit it
    python benchmarks/batched_search.py                         # grid and large, some minutes
    python benchmarks/batched_search.py --parts grid --fits 9 30 90 300
    python benchmarks/batched_search.py --parts grid --fits 9 30 90 300 --jobs 2
    python benchmarks/batched_search.py --parts halving large border ensemble --seeds 5
    python benchmarks/batched_search.py --device cuda           # 1000 fits, too
    python benchmarks/batched_search.py --smoke

With ``--jobs 1``, torch has one thread. With ``--jobs 2``, it has two, which a search with
``n_jobs=1`` may use (bare always uses one); starting the processes of ``n_jobs=2`` is excluded from
the timing. Data is read from the folder in the environment variable SKDEEP_DATA, or downloaded.
"""

import functools
import itertools
import math

import numpy as np
from _data import mnist
from _harness import (
    Report,
    alternate,
    limited_threads,
    make_parser,
    median,
    median_ratio,
    parse,
    verdict,
)
from _loops import PlainAutoencoder, count_weights
from _searches import (
    NETS,
    Data,
    bare_search,
    digits_data,
    make_net,
    plain_skorch,
    search,
    training,
)
from sklearn.base import is_classifier
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold
from tabular import parts

from skdeep import model_selection
from skdeep.decomposition import Autoencoder
from skdeep.ensemble import DeepEnsembleRegressor
from skdeep.neural_network import ResNetRegressor

# Minimum ratios of a contender's time to ours, from 30 fits on.
TARGETS = {
    "skorch": {"autoencoder": 12, "dense": 8, "residual": 4},
    "sequential": {"autoencoder": 3, "dense": 2.5, "residual": 2},
    "sequential, n_jobs=2": {"autoencoder": 3},
}
GPU_TARGETS = {"sequential": dict.fromkeys(NETS, 30)}
NOISES = (0.0, 0.1, 0.2, 0.3, 0.5)
WEIGHT_DECAYS = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
BORDER_WIDTHS = (32, 64, 128, 256, 512, 1024)
N_STACKED = 8


def grid_contenders(net, data, args, scores):
    """Callables that evaluate some values of ``lr``; searches store their mean scores in a dict."""
    skorch_data = data if is_classifier(net.estimator) else data._replace(y=data.X)
    searches = {
        "batched": (model_selection.BatchedGridSearchCV, net.estimator, data),
        "sequential": (GridSearchCV, net.estimator, data),
        "skorch": (GridSearchCV, plain_skorch(net), skorch_data),
    }

    def run(name, arguments, n_jobs, lrs):
        found = search(*arguments, {"lr": list(lrs)}, n_jobs=n_jobs)
        scores[name] = found.cv_results_["mean_test_score"]

    contenders = {}
    kept = [label for label in searches if label in ("batched", *args.contenders)]
    for label, n_jobs in itertools.product(kept, sorted({1, args.jobs})):
        name = label if args.jobs == 1 else f"{label}, n_jobs={n_jobs}"
        contenders[name] = functools.partial(run, name, searches[label], n_jobs)
    if "bare" in args.contenders:
        contenders["bare"] = functools.partial(bare_search, net, data)
    return contenders


def summary(seconds, name, *references):
    """Median of a contender's times, and its ratio to those of others."""
    ratios = {f"over {one}": median_ratio(seconds[name], seconds[one]) for one in references}
    return {"what": name, "median s": median(seconds[name]), **ratios}


def grid(args, report):
    """Searches of several sizes."""
    for name in args.nets:
        net, data, scores = make_net(name, args), digits_data(labels=name != "autoencoder"), {}
        fitted = make_net(name, args).estimator.set_params(max_epochs=1).fit(data.X, data.y)
        assert count_weights(fitted.module_) == count_weights(net.module(**net.sizes))
        contenders = grid_contenders(net, data, args, scores)
        for run in contenders.values():
            run([1e-3] * 2 * args.jobs)  # enough for all worker processes to start
        for n_fits in args.fits:
            lrs = np.logspace(-4, -2, max(1, round(n_fits / len(data.splits))))
            timed = {key: functools.partial(run, lrs) for key, run in contenders.items()}
            seconds = alternate(timed, args.rounds, warmups=0)
            case = {"net": name, "fits": len(lrs) * len(data.splits)}
            rows = [grid_row(case, key, seconds, scores, args) for key in seconds]
            report.add(rows, title=f"grid: {net.estimator.max_epochs} epochs", part="grid")


def grid_row(case, name, seconds, scores, args):
    ours = [key for key in seconds if key.startswith("batched")]
    row = {**case, **summary(seconds, name, *ours)}
    target = difference = None
    if name.startswith("sequential"):
        target = 1  # on any size
        difference = max(float(np.abs(scores[key] - scores[name]).max()) for key in ours)
    if case["fits"] >= 30:
        targets = TARGETS if args.device == "cpu" else GPU_TARGETS
        target = targets.get(name, {}).get(case["net"], target)
    ratio = max(row[f"over {key}"] for key in ours)
    return {**row, **verdict(ratio, at_least=target), "largest difference of scores": difference}


def halving(args, report):
    """Halving compared with the full grid of the same candidates."""
    data = digits_data(labels=False)
    estimator = Autoencoder(10, hidden_layer_sizes=(32,), **training("halving", args))
    lrs = list(np.logspace(-4, -2, args.learning_rates))
    space = {"lr": lrs, "noise": NOISES, "weight_decay": WEIGHT_DECAYS}
    n_candidates, n_epochs = math.prod(map(len, space.values())), estimator.max_epochs
    resources = {"n_candidates": n_candidates, "max_resources": n_epochs, "random_state": 0}
    kinds = {
        "full grid": model_selection.BatchedGridSearchCV,
        "halving": functools.partial(model_selection.BatchedHalvingSearchCV, **resources),
    }
    found = {}

    def run(name):
        found[name] = search(kinds[name], estimator, data, space)

    contenders = {name: functools.partial(run, name) for name in kinds}
    seconds = alternate(contenders, args.rounds, warmups=0)
    rows = [
        {**summary(seconds, name, "full grid"), **choice(found["full grid"], found[name])}
        for name in kinds
    ]
    for row in rows:
        target = 1 / 3 if row["what"] == "halving" else None
        row |= verdict(row["over full grid"], at_most=target)
    title = f"halving: {n_candidates} x 3 fits, {n_epochs} epochs"
    report.add(rows, title=title, part="halving")


def choice(full, one):
    """Scores in the full grid of its best candidate and of the best candidate of another search."""
    results = full.cv_results_
    chosen = {name: value for name, value in one.best_params_.items() if name != "max_epochs"}
    place = results["params"].index(chosen)
    scores = [results[f"split{fold}_test_score"][full.best_index_] for fold in range(3)]
    error = np.std(scores, ddof=1) / math.sqrt(len(scores))
    loss = full.best_score_ - results["mean_test_score"][place]
    return {
        "rank in the grid": int(results["rank_test_score"][place]),
        "worse than its best by": float(loss),
        "standard error of that": float(error),
        "within": bool(loss <= error),
    }


# Nets that are trained as a stack where they are narrow.
ENSEMBLE = {
    "early_stopping": True,
    "refit_full": False,
    "numerical_embedding": None,
    "norm": "batch",
    "max_epochs": 100,
    "lr": 1e-3,
    "lr_schedule": "cosine",
    "dropout": 0.3,
    "n_iter_no_change": 16,
    "tol": 0.0,
}


def several(n_estimators, random_state, **parameters):
    """Regressor that averages so many nets."""
    if n_estimators == 1:
        return ResNetRegressor(**parameters, random_state=random_state)
    return DeepEnsembleRegressor(
        ResNetRegressor(**parameters), n_estimators, random_state=random_state
    )


def ensemble(args, report):
    """An ensemble of five nets compared with a single net."""
    data = parts("california-full", 0, smoke=args.smoke)
    X, y = data.X_train, data.y_train
    epochs = {} if args.epochs is None else {"max_epochs": args.epochs}
    ResNetRegressor(max_epochs=1).fit(X[:512], y[:512])  # overhead of the first fit only
    sizes = {"one": 1, "five": 5}
    rows = []
    for width in args.widths:
        settings = {"width": width, "device": args.device, **epochs}
        given = ENSEMBLE | settings
        models = {name: [] for name in sizes}

        def run(name, given=given, models=models):
            model = several(sizes[name], len(models[name]), **given)
            models[name].append(model.fit(X, y))

        fits = {name: functools.partial(run, name) for name in sizes}
        seconds = alternate(fits, args.seeds, warmups=0)
        for name, fitted in models.items():
            row = {"width": width, **summary(seconds, name, "one")}
            predicted = [model.predict(data.X_score) for model in fitted]
            errors = [root_mean_squared_error(data.y_score, one) for one in predicted]
            row |= {"RMSE": f"{np.mean(errors):.4f}", "sd": f"{np.std(errors):.4f}"}
            target = 2.5 if name == "five" else None
            rows.append(row | verdict(row["over one"], at_most=target))
    title = f"ensemble: California housing, {args.seeds} seeds, 100 000 dollars"
    report.add(rows, title=title, part="ensemble")
    print("the paper's tuned ensemble: .477 to .479")


def large(args, report):
    """A net that does not benefit from stacking."""
    X = mnist(n_train=args.rows, n_test=0, smoke=args.smoke).X_train
    options = training("large", args, batch_size=256)
    estimator = Autoencoder(10, hidden_layer_sizes=(500, 500, 2000), **options)
    arguments = estimator, Data(X, None, list(KFold(2).split(X))), {"lr": [1e-4, 1e-3]}
    contenders = {
        "batched": functools.partial(search, model_selection.BatchedGridSearchCV, *arguments),
        "sequential": functools.partial(search, GridSearchCV, *arguments),
    }
    seconds = alternate(contenders, args.rounds)
    rows = [summary(seconds, name, "batched") for name in seconds]
    title = f"large: 784-500-500-2000-10, {len(X)} samples; target: about 1"
    report.add(rows, title=title, part="large")


def border(args, report):
    """Nets of several widths."""
    X = np.random.default_rng(0).standard_normal((1024, 64), dtype=np.float32)
    data = Data(X, None, [(np.arange(len(X)), np.arange(64))])
    lrs = {"lr": list(np.logspace(-4, -2, N_STACKED))}
    options = training("border", args)
    n_steps = N_STACKED * options["max_epochs"] * math.ceil(len(X) / options["batch_size"])
    run = functools.partial(search, model_selection.BatchedGridSearchCV)
    rows = []
    for width in BORDER_WIDTHS:
        given = (Autoencoder(10, hidden_layer_sizes=(width,), **options), data, lrs)
        contenders = {
            "stacked": functools.partial(run, *given, max_batch_models=N_STACKED),
            "one by one": functools.partial(run, *given, max_batch_models=1),
        }
        seconds = alternate(contenders, args.rounds)
        row = {"width": width, "weights": count_weights(PlainAutoencoder((64, width, 10)))}
        for name, times in seconds.items():
            row[f"{name}, ms per net and step"] = 1e3 * median(times) / n_steps
        rows.append({**row, "ratio": median_ratio(seconds["one by one"], seconds["stacked"])})
    title = f"border: autoencoders 64-width-10, {N_STACKED} in a stack"
    report.add(rows, title=title, part="border")
    paying = [row["width"] for row in itertools.takewhile(lambda row: row["ratio"] > 1, rows)]
    print(f"stacking pays up to a width of {paying[-1]}" if paying else "stacking does not pay")


PARTS = {part.__name__: part for part in (grid, halving, ensemble, large, border)}


def main():
    others = ["sequential", "skorch", "bare"]
    parser = make_parser(
        __doc__,
        parts=PARTS,
        nets=NETS,
        contenders=others,
        rounds=3,
        seeds=3,
        epochs=None,
        jobs=1,
        device="cpu",
        dropout=0.15,
        learning_rates=10,
        rows=1024,
    )
    parser.set_defaults(parts=["grid", "large"])
    parser.add_argument("--fits", nargs="+", type=int, help="of grid: 9 30, on a GPU 1000 too")
    widths = [32, ResNetRegressor().width]
    parser.add_argument("--widths", nargs="+", type=int, default=widths, help="of ensemble")
    smoke = {"parts": list(PARTS), "rounds": 1, "seeds": 1, "epochs": 2, "fits": [3]}
    args = parse(parser, **smoke, learning_rates=1, widths=[8], rows=128)
    if args.fits is None:
        args.fits = [9, 30] if args.device == "cpu" else [9, 30, 90, 300, 1000]
    report = Report(f"Batched search on {args.device}, cores: {args.jobs}", args)
    with limited_threads(args.jobs):
        for part in args.parts:
            PARTS[part](args, report)


if __name__ == "__main__":
    main()
