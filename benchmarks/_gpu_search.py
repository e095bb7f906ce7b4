"""The searches of gpu.py."""

from argparse import Namespace

import numpy as np
import torch
from _gpu import GIB, largest_distance, row
from _searches import digits_data, make_net, search, training
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV

from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier
from skdeep.utils import available_devices

__all__ = ["pool", "searches"]

SEARCH_TARGET, SCORE_TARGET = 30, 1e-5
FEW_EPOCHS = 5


def searched_net(name, n_epochs, device):
    """One of the nets of ``batched_search.py``, or one for images."""
    args = Namespace(epochs=n_epochs, device=device, dropout=0.0)
    if name == "images":
        return ResNetClassifier(
            image_shape=(8, 8), n_blocks=1, stem_width=8, **training("grid", args)
        )
    return make_net(name, args).estimator


def searches(session):
    """Batched searches compared with fits one by one."""
    found = {}
    for name, n_fits, n_epochs in session.sizes.searches:
        net = searched_net(name, n_epochs, session.device)
        lrs = list(np.logspace(-4, -2, session.sizes.singles))
        if name not in found:
            short = clone(net).set_params(max_epochs=1)  # does not count
            searched(session, BatchedGridSearchCV, short, [1e-3, 2e-3])
            found[name] = searched(session, GridSearchCV, net, lrs)
            yield after_few_epochs(session, name, net, lrs)
        yield from beside_one_by_one(session, f"{name}, {n_fits} fits", net, n_fits, *found[name])


def after_few_epochs(session, name, net, lrs):
    """Line for the scores after few epochs, in which rounding errors hardly grow."""
    few = clone(net).set_params(max_epochs=min(FEW_EPOCHS, net.max_epochs))
    batched, singles = (
        searched(session, kind, few, lrs)[0] for kind in (BatchedGridSearchCV, GridSearchCV)
    )
    difference = distance_of_scores(batched, singles, len(lrs))
    target = met = None
    if name != "images":
        on_cpu = searched(session, BatchedGridSearchCV, clone(few).set_params(device="cpu"), lrs)[0]
        limit = max(SCORE_TARGET, distance_of_scores(singles, on_cpu, len(lrs)))
        target, met = f"{limit:.2g}", difference <= limit
    what = f"{name}: difference of scores after {few.max_epochs} epochs"
    return row(what, f"{difference:.2g}", target, met, difference=difference)


def distance_of_scores(results, others, n_candidates):
    """Maximum absolute difference between the scores of the first candidates on all folds."""
    names = [f"split{number}_test_score" for number in range(3)]
    return max(
        largest_distance(results[name][:n_candidates], others[name][:n_candidates])
        for name in names
    )


def searched(session, kind, net, lrs):
    """Results of a search over values of ``lr``, and its time in seconds."""
    found = []
    data = digits_data(labels=is_classifier(net))
    # accuracy would show small differences as whole samples or not at all
    scoring = "neg_log_loss" if is_classifier(net) else None
    seconds = session.seconds(
        lambda: found.append(search(kind, net, data, {"lr": lrs}, scoring=scoring))
    )
    return found[0].cv_results_, seconds


def beside_one_by_one(session, what, net, n_fits, singles, single_s):
    """Lines for a batched search compared with some candidates one by one."""
    lrs = list(singles["param_lr"])
    n_singles = 3 * len(lrs)
    lrs += list(np.logspace(-4, -2, n_fits // 3 - len(lrs)))
    if on_gpu := session.device != "cpu":
        torch.cuda.reset_peak_memory_stats(session.device)
    results, batched_s = searched(session, BatchedGridSearchCV, net, lrs)
    one_by_one_s = single_s / n_singles * n_fits
    ratio = one_by_one_s / batched_s
    target = met = None
    if n_fits >= 300:
        target, met = f"{SEARCH_TARGET} x", ratio >= SEARCH_TARGET
    value = f"{batched_s:.3g} s; one by one {one_by_one_s:.3g} s, estimated from {n_singles} fits"
    numbers = {"batched_s": batched_s, "one_by_one_s": one_by_one_s, "ratio": ratio}
    numbers["epochs"] = net.max_epochs
    yield row(f"{what}, {net.max_epochs} epochs", f"{value}: {ratio:.1f} x", target, met, **numbers)
    difference = distance_of_scores(singles, results, n_singles // 3)
    yield row(f"{what}: difference of scores", f"{difference:.2g}", difference=difference)
    if on_gpu:
        peak = torch.cuda.max_memory_allocated(session.device) / GIB
        yield row(f"{what}: peak memory", f"{peak:.2f} GiB", peak_gib=peak)


def pool(session):
    """A search over several devices."""
    devices = [name for name in available_devices() if name.startswith("cuda")]
    if session.device == "cpu":
        devices = ["cpu", "cpu"]
    if len(devices) < 2:
        yield row("several GPUs", f"not run: there is one, {devices[0]}")
        return
    name, n_fits, n_epochs = session.sizes.searches[0]
    lrs, results = list(np.logspace(-4, -2, n_fits // 3)), []
    for device in (devices[0], devices):
        net = searched_net(name, n_epochs, device)
        searched(session, BatchedGridSearchCV, clone(net).set_params(max_epochs=1), lrs[:4])
        results.append(searched(session, BatchedGridSearchCV, net, lrs))
    (one, one_s), (several, several_s) = results
    value = f"one device {one_s:.3g} s, {len(devices)} devices {several_s:.3g} s"
    yield row(f"{name}, {n_fits} fits", value, one_s=one_s, several_s=several_s)
    difference = largest_distance(one["mean_test_score"], several["mean_test_score"])
    yield row(f"{name}: difference of scores", f"{difference:.2g}", difference=difference)
