"""All claims that require a GPU, in eight minutes: one table, with targets if there are any.

- tests: those marked ``gpu``. None may fail, and some must have run.
- rows: maximum difference between the result for a row among all rows and in random subsets, in
  random order, of sizes from one row to all of them (``row_independence.py``). Target: 0.
- determinism: two fits with the same ``random_state``, and a fitted net that is loaded in a process
  without a GPU. cuDNN may choose convolutions with a different order of summation in each run
  unless deterministic kernels are requested. Images are fitted both ways; the target is for the
  second.
- fit: a large autoencoder and a residual net for images on the CPU and on the GPU, with the same
  samples and epochs; one run on the CPU, the median of three on the GPU. Scores of both.
- bf16: a large autoencoder with ``precision="bf16-mixed"`` and with ``"float32"``.
- search: ``BatchedGridSearchCV`` over values of ``lr``, on three folds of digits, and
  ``GridSearchCV`` over the same estimator on the same device. Only a few values are evaluated one
  by one; their time is extrapolated to all fits ("estimated"), and their scores, all negative
  losses, are compared. Target: 30 times as fast from 300 fits on. Peak memory is that of the
  batched search. Scores are compared after five epochs, too, before rounding errors have grown:
  they may differ by 1e-5, or by as much as those of fits one by one on the GPU and on the CPU.
- pool: a search on all GPUs and on one of them, if there are several.
- gan: accuracy on real MNIST of a classifier trained only on GANSampler's images, as in
  ``gan_images.py``, after as many epochs as the time allows, at most the 50 of that script. Target:
  .95. Requires ``mnist.npz`` in the folder SKDEEP_DATA, and is not run otherwise; digits of 8 x 8
  pixels are used instead, with a target of .90.

A failed part is a line of the table and its traceback follows the table; the other parts are still
run. Each part has a time limit; when the time of ``--budget`` is used up, the remaining parts are
not run, which the table shows. The exit status is 1 if a part failed or a target was missed.

    python benchmarks/gpu.py --json gpu.json
    python benchmarks/gpu.py --parts search gan
    python benchmarks/gpu.py --device cpu --smoke        # a smoke test, in about a minute

Other images are from MNIST if ``mnist.npz`` exists, else digits enlarged to 28 x 28. The package
does not have to be installed: ``PYTHONPATH=. python benchmarks/gpu.py``.
"""

import sys
import time
import traceback
import warnings

import numpy as np
import torch
from _data import has_mnist
from _gpu import (
    FULL,
    SMOKE,
    Session,
    apply_elsewhere,
    describe,
    deterministic_convolutions,
    distance_of_weights,
    estimators,
    images,
    largest_distance,
    row,
    run_gpu_tests,
    time_limit,
)
from _gpu_search import pool, searches
from _harness import Report, make_parser, parse, print_table, resolve_device
from gan_images import PARAMETERS, TARGETS, classifier, parts, skdeep_gan
from row_independence import largest_difference, normal, ways
from sklearn.base import clone

from skdeep.decomposition import Autoencoder
from skdeep.generative import GANSampler
from skdeep.neural_network import ResNetClassifier


def tests(session):
    """The tests marked ``gpu``."""
    counts, output = run_gpu_tests()
    n_passed, n_skipped = counts.get("passed", 0), counts.get("skipped", 0)
    n_failed = counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0)
    summary = f"{n_passed} passed, {n_failed} failed, {n_skipped} skipped"
    if session.device == "cpu":
        yield row("pytest -m gpu", f"{summary}: there is no GPU", **counts)
        return
    met = n_passed > 0 and not n_failed
    yield row("pytest -m gpu", summary, "some, none failed", met, **counts)
    if not met:
        raise RuntimeError(f"tests failed, or none ran:\n{output[-4000:]}")


def independent_rows(session):
    """Results for rows among all rows and in subsets."""
    sizes = session.sizes
    for name in sizes.independent_nets:
        X = normal(sizes.independent_rows, name)
        yield independence(f"net {name}", ways(name, session.device)["skdeep"], X)
    X, y = images(sizes.independent_rows)
    for name, (net, method) in estimators(session).items():
        net.fit(X[: sizes.fit_rows], y[: sizes.fit_rows])
        yield independence(f"{name}.{method}", getattr(net, method), X)


def independence(name, way, X):
    difference = largest_difference(way, X, np.random.default_rng(1), 1)
    return row(name, f"{difference:.2g}", "0", difference == 0, difference=difference)


def determinism(session):
    """Two fits, and a process without a GPU."""
    X, y = images(session.sizes.fit_rows)
    calls = {}
    for name, (net, method) in estimators(session).items():
        pair = [clone(net).fit(X, y) for _ in range(2)]
        calls[name] = pair[0], method, X
        yield two_fits(name, pair, has_target="images" not in name)
        if "images" in name:
            with deterministic_convolutions():
                pair = [clone(net).fit(X, y) for _ in range(2)]
            yield two_fits(f"{name}, cudnn.deterministic", pair, has_target=True)
    here = [getattr(net, method)(rows) for net, method, rows in calls.values()]
    for name, ours, theirs in zip(calls, here, apply_elsewhere(calls.values()), strict=True):
        difference = largest_distance(ours, theirs) / max(1.0, float(np.abs(ours).max()))
        limit = 1e-2 if "images" in name else 1e-4  # TF32, in convolutions, has 10 bits
        what = f"{name}, loaded without a GPU: relative difference"
        yield row(
            what, f"{difference:.2g}", f"{limit:g}", difference <= limit, difference=difference
        )


def two_fits(name, pair, *, has_target):
    difference = distance_of_weights(*pair)
    target, met = ("0", difference == 0) if has_target else (None, None)
    what = f"{name}, two fits: weights"
    return row(what, f"{difference:.2g}", target, met, difference=difference)


def fit(session):
    """Large nets on the CPU and on the GPU."""
    sizes, shared = session.sizes, {"max_epochs": 2, "random_state": 0}
    X, y = images(sizes.rows)
    net = Autoencoder(16, hidden_layer_sizes=sizes.layers, batch_size=256, **shared)
    name = "-".join(map(str, (784, *sizes.layers, 16)))
    yield from beside_cpu(session, f"autoencoder {name}", net, X, y, "transform")
    n_blocks, width = sizes.image_net
    net = ResNetClassifier(
        image_shape=(28, 28), n_blocks=n_blocks, stem_width=width, batch_size=128, **shared
    )
    name = f"ResNet 28 x 28, {n_blocks} blocks, {width} channels"
    X, y = X[: sizes.image_rows], y[: sizes.image_rows]
    yield from beside_cpu(session, name, net, X, y, "predict_proba")


def beside_cpu(session, name, net, X, y, method):
    """Times of a fit and of a method on the CPU and on the device of the session."""
    seconds, scores = {}, {}
    for device in dict.fromkeys(["cpu", session.device]):
        one = clone(net).set_params(device=device)
        clone(one).set_params(max_epochs=1).fit(X[:512], y[:512])
        repeats = 1 if device == "cpu" else session.sizes.repeats
        times = [session.seconds(lambda one=one: one.fit(X, y), repeats)]
        call = getattr(one, method)
        call(X[:512])
        seconds[device] = [*times, session.seconds(lambda call=call: call(X), repeats)]
        scores[device] = one.score(X, y)
    for what, cpu, gpu in zip(
        ("fit", method), seconds["cpu"], seconds[session.device], strict=True
    ):
        value = f"CPU {cpu:.3g} s, {session.device} {gpu:.3g} s: {cpu / gpu:.1f} x"
        yield row(f"{name}, {len(X)} rows: {what}", value, cpu_s=cpu, gpu_s=gpu, ratio=cpu / gpu)
    value = ", ".join(f"{device} {score:.4f}" for device, score in scores.items())
    yield row(f"{name}: score", value, **scores)


def half(session):
    """The same large net in two precisions."""
    sizes = session.sizes
    X, _ = images(sizes.wide_rows)
    net = Autoencoder(
        64,
        hidden_layer_sizes=sizes.wide_layers,
        max_epochs=sizes.wide_epochs,
        batch_size=2048,
        device=session.device,
        random_state=0,
    )
    seconds, scores = {}, {}
    for precision in ("float32", "bf16-mixed"):
        one = clone(net).set_params(precision=precision)
        clone(one).set_params(max_epochs=1).fit(X[:4096])
        seconds[precision] = session.seconds(lambda one=one: one.fit(X), sizes.repeats)
        scores[precision] = one.score(X)
    single, mixed = seconds.values()
    name = "-".join(map(str, (784, *sizes.wide_layers, 64)))
    value = f"float32 {single:.3g} s, bf16-mixed {mixed:.3g} s: {single / mixed:.2f} x"
    yield row(f"autoencoder {name}: fit", value, **seconds, ratio=single / mixed)
    single, mixed = scores.values()
    value = f"float32 {single:.5f}, bf16-mixed {mixed:.5f}, difference {mixed - single:.1g}"
    yield row(f"autoencoder {name}: score", value, **{f"score, {k}": v for k, v in scores.items()})


def gan(session):
    """A classifier trained only on generated images."""
    sizes = session.sizes
    is_full = sizes.gan_epochs is None
    data = "mnist" if has_mnist() and is_full else "digits"
    if is_full and data == "digits":
        yield row("mnist", "not run: no data, SKDEEP_DATA has no mnist.npz", str(TARGETS["mnist"]))
    X, y, X_test, y_test = parts(data, 0, limit=sizes.gan_rows)
    parameters = {**PARAMETERS[data], "device": session.device, "random_state": 0}
    parameters["max_epochs"] = sizes.gan_epochs or affordable_epochs(session, X, y, parameters)
    draws = []
    fit_s = session.seconds(lambda: draws.append(skdeep_gan(X, y, parameters)))
    drawn = draws[0](y).astype(X.dtype)
    judge = classifier(data, 0, session.device).fit(drawn, y)
    accuracy = float(np.mean(judge.predict(X_test) == y_test))
    value = f"{accuracy:.4f} after {parameters['max_epochs']} epochs, {fit_s:.0f} s"
    target, met = (str(TARGETS[data]), accuracy >= TARGETS[data]) if is_full else (None, None)
    numbers = {"accuracy": accuracy, "epochs": parameters["max_epochs"], "fit_s": fit_s}
    yield row(f"{data}: accuracy with generated images", value, target, met, **numbers)


def affordable_epochs(session, X, y, parameters):
    """Number of epochs that the time allows, estimated from a short fit; at most the default."""
    few = min(len(X), 6000)
    for n_rows in (min(few, 1000), few):  # the first one is excluded from the timing
        short = {**parameters, "max_epochs": 1}
        seconds = session.seconds(lambda n=n_rows, p=short: skdeep_gan(X[:n], y[:n], p))
    available = 0.85 * session.left() - 30  # the classifier needs some time, too
    n_epochs = int(available / (seconds * len(X) / few))
    return max(1, min(n_epochs, GANSampler(**parameters).max_epochs))


# Parts in the order of execution, and the minimum and maximum number of seconds of each.
PARTS = {
    "tests": (tests, 20, 200),
    "rows": (independent_rows, 5, 40),
    "determinism": (determinism, 15, 60),
    "fit": (fit, 20, 80),
    "bf16": (half, 10, 40),
    "search": (searches, 30, 130),
    "pool": (pool, 10, 40),
    "gan": (gan, 50, 330),
}


def run_part(name, session):
    """Lines of a part, and the traceback of the error that ended it, or None."""
    part, least, most = PARTS[name]
    if session.left() < least:
        return [{"part": name, **row("all", "not run: the time is used up")}], None
    found, trace, start = [], None, time.perf_counter()
    try:
        with time_limit(min(most, session.left())):
            for line in part(session):
                found.append({"part": name, **line})
                print(f"{name}: {line['what']}: {line['value']}", file=sys.stderr, flush=True)
    except Exception as error:
        trace = traceback.format_exc()
        text = f"{type(error).__name__}: {error}".partition("\n")[0]
        found.append({"part": name, **row("FAILED", text[:100], met=False)})
    seconds = time.perf_counter() - start
    found.append({"part": name, **row("all", f"{seconds:.1f} s", seconds=seconds)})
    if session.device != "cpu":
        torch.cuda.empty_cache()
    return found, trace


def main():
    parser = make_parser(__doc__, device="cuda", parts=PARTS, budget=460.0)
    args = parse(parser)
    device = resolve_device(parser, args.device)
    warnings.simplefilter("ignore")  # nets are trained for too few epochs to be accurate
    session = Session(device, SMOKE if args.smoke else FULL, args.budget)
    machine, traces = describe(device), []
    report = Report(f"Claims about a GPU, on {device}", args, machine=machine, errors=traces)
    print(", ".join(f"{name} {value}" for name, value in machine.items()), flush=True)
    for name in (name for name in PARTS if name in args.parts):
        found, trace = run_part(name, session)
        traces += [] if trace is None else [f"{name}:\n{trace}"]
        report.keep(found)  # later parts may not finish
    shown = ("part", "what", "value", "target", "met")
    print_table([{key: line[key] for key in shown} for line in report.rows])
    print(f"\n{args.budget - session.left():.0f} s for all parts", *traces, sep="\n\n")
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
