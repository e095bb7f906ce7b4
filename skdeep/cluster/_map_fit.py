"""A fit of a self-organizing map in progress."""

import contextlib
import time

import numpy as np

from skdeep._checkpoint import checkpoints_of
from skdeep._fit_data import Data
from skdeep._fitted_attributes import replace_attributes, unchanged_on_failure
from skdeep._training._progress import show_progress
from skdeep._training._tasks import FitTasks
from skdeep.cluster._map_inference import apply_to_samples
from skdeep.cluster._map_init import (
    Parts,
    auto_shape,
    feature_means,
    principal_axes,
    random_weights,
    weights_on_plane,
)
from skdeep.cluster._map_params import check_grid, check_shape, make_schedule
from skdeep.cluster._map_rows import MapRows, tensor_dtype
from skdeep.cluster._map_training import MapTraining, Schedule, Settings
from skdeep.cluster._map_units import mean_adjacent_distances, unit_clusters
from skdeep.nn._grid import Grid
from skdeep.nn._unit_distances import METRICS
from skdeep.utils._device import lease_device
from skdeep.utils._random import draw_seed
from skdeep.utils._slabs import largest_magnitude
from skdeep.utils._threads import work_scope
from skdeep.utils._validation import check_weights, in_memory, output_dtype

# Final radius with radius="auto".
_FINAL_RADIUS = {"gaussian": 0.55, "triangle": 1.25, "bubble": 1.0, "mexican_hat": 0.75}

# Name of the only training in a folder of checkpoints.
_CHECKPOINT = "training000"


class MapFit:
    """A fit in progress; discarded when the estimator is fitted.

    The fitted attributes of the estimator are set at the end, all at once, so that an error or
    Ctrl-C leaves it unchanged.

    Parameters
    ----------
    estimator : SelfOrganizingMap
    X, y, sample_weight
        Arguments of the estimator's ``fit``.
    resume : bool
        Whether to continue from the fitted state.
    is_part : bool
        Whether it is a part of a training, as in ``partial_fit``.
    """

    def __init__(self, estimator, X, y, sample_weight, *, resume=False, is_part=False):
        self.estimator, self.is_resumed = estimator, resume
        self.checkpoints = checkpoints_of(estimator, is_part=is_part)
        self.given = X, sample_weight
        self._schedules()
        self.tasks = FitTasks(estimator, X, y, sample_weight)
        self.loss_curve = list(estimator.loss_curve_) if resume else []

    def run(self, n_epochs):
        """Train for a number of epochs, at most, and return the fitted estimator."""
        estimator = self.estimator
        lease = lease_device(estimator.device)
        if self.is_resumed:
            lease = contextlib.nullcontext(estimator.device_)
        with unchanged_on_failure(estimator, self.is_resumed), lease as self.device:
            with self.checkpoints.opened(), show_progress(estimator) as progress:
                self.tasks.begin(n_epochs)
                self.X = estimator._check(in_memory(self.given[0]), reset=not self.is_resumed)
                self.weight = check_weights(self.given[1], self.X)
                is_new = not self.is_resumed
                self.seed = draw_seed(estimator.random_state) if is_new else estimator._seed
                self.seed = self.checkpoints.begin(self, Data(self.X, weight=self.weight))
                self._prepare()
                if progress is not None:
                    progress.total = n_epochs
                    progress.open()
                work = self.training.length * self.training.weights.numel()
                with work_scope(work, self.device):
                    self._run_epochs(n_epochs, progress)
                    attributes = self.attributes()
            replace_attributes(estimator, attributes)
        self.tasks.end()
        return estimator

    def _prepare(self):
        """Determine grid, initial weights and settings."""
        estimator = self.estimator
        if self.is_resumed:
            self._check_same_grid()
            self.grid = self._make_grid(estimator.shape_)
            weights, memory = self._fitted_weights()
        else:
            weights, memory = self._initial_weights(), None
        rows = MapRows(self.X, self.weight, center=self.center, device=self.device, stores=True)
        settings = self._settings()
        self.training = MapTraining(self.grid, rows, settings, weights, memory)

    def _check_same_grid(self):
        """Raise ``ValueError`` if training cannot continue with the present grid."""
        estimator = self.estimator
        old = {**estimator._fitted_params, "shape": estimator.shape_}
        new = {"topology": estimator.topology, "periodic": estimator.periodic}
        if not isinstance(estimator.shape, str):
            new["shape"] = check_shape(estimator.shape)
        changed = sorted(name for name, value in new.items() if value != old[name])
        if changed:
            raise ValueError(
                "partial_fit requires a map of the same grid as in the last fit; got new values of "
                f"{changed}. Fit a clone instead."
            )

    def _fitted_weights(self):
        """Return unit weights and sums of a fitted map; its center is kept if the metric allows."""
        estimator = self.estimator
        self.center, weights, memory = estimator._center, estimator._weights, estimator._memory
        if not METRICS[estimator.metric]:
            values, mass = memory
            weights, memory = weights + self.center, (values + mass * self.center, mass)
            self.center = np.zeros_like(self.center)
        return weights, memory

    def _initial_weights(self):
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                weights = self._place_units()
            except np.linalg.LinAlgError:  # from infinite covariances
                weights = np.inf
        if not np.isfinite(weights).all():
            raise ValueError(
                "X must be small enough for finite variances; got values up to "
                f"{largest_magnitude(self.X):g}. Scale the features."
            )
        return weights

    def _place_units(self):
        estimator, rng = self.estimator, np.random.default_rng((self.seed, 0))
        has_missing = estimator.missing == "ignore"
        parts = Parts(self.X, self.weight, has_missing)
        mean = feature_means(parts)
        # rounding errors are small if values are, but angles depend on the origin
        self.center = mean if METRICS[estimator.metric] else np.zeros_like(mean)
        is_auto = isinstance(estimator.shape, str)
        axes = None
        if is_auto or estimator.init == "pca":
            axes = principal_axes(parts, mean, rng)
        if is_auto:
            options = {"topology": estimator.topology, "periodic": estimator.periodic}
            shape = auto_shape(parts, axes, **options)
        else:
            shape = check_shape(estimator.shape)
        self.grid = self._make_grid(shape)
        if estimator.init == "pca":
            weights = weights_on_plane(self.grid.coordinates.cpu().numpy(), mean, axes)
        else:
            weights = random_weights(parts, self.grid.n_units, mean, rng)
        return weights - self.center

    def _make_grid(self, shape):
        estimator = self.estimator
        options = {"topology": estimator.topology, "periodic": bool(estimator.periodic)}
        check_grid(shape, n_clusters=estimator.n_clusters, **options)
        return Grid(
            shape,
            neighborhood=estimator.neighborhood,
            dtype=tensor_dtype(self.X, self.device),
            device=self.device,
            **options,
        )

    def _settings(self):
        estimator, schedules = self.estimator, self._schedules()
        if "radius" not in schedules:
            final = _FINAL_RADIUS[estimator.neighborhood]
            radius = max(final, max(self.grid.shape) / 2)
            schedules["radius"] = Schedule(radius, final, estimator.decay)
        return Settings(
            algorithm=estimator.algorithm,
            metric=estimator.metric,
            has_missing=estimator.missing == "ignore",
            n_epochs=int(estimator.max_epochs),
            batch_size=int(estimator.batch_size),
            shuffle=bool(estimator.shuffle),
            seed=self.seed,
            **schedules,
        )

    def _schedules(self):
        """Validate the schedules that are given; dict of ``Schedule``."""
        estimator = self.estimator
        highs = {"learning_rate": 1, "radius": np.inf}
        return {
            name: make_schedule(name, value, decay=estimator.decay, high=high)
            for name, high in highs.items()
            if not isinstance(value := getattr(estimator, name), str)
        }

    def _run_epochs(self, n_epochs, progress):
        """Train until the maximum number of epochs, convergence or the request of a callback."""
        tol = self.estimator.tol
        prints = progress is None and self.estimator.verbose
        if prints:
            print(f"{'epoch':>7}  {'train_loss':>10}  {'dur':>8}\n{'-' * 7}  {'-' * 10}  {'-' * 8}")
        for n_left in range(n_epochs - self._restore(n_epochs), 0, -1):
            self.tasks.begin_epoch()
            start = time.perf_counter()
            loss, change = self.training.run_epoch(len(self.loss_curve))
            self.loss_curve.append(loss)
            seconds = time.perf_counter() - start
            if progress is not None:
                progress.advance({"train_loss": loss})
            if prints:
                print(f"{len(self.loss_curve):>7}  {loss:>10.4f}  {seconds:>8.4f}")
            is_end = self.tasks.end_epoch(self.attributes) or change <= tol or n_left == 1
            self._save(is_end=is_end)
            if is_end:
                break

    def _restore(self, n_epochs):
        """Continue from the last checkpoint; return how many of the epochs need not be trained."""
        has_ended, state = self.checkpoints.find(_CHECKPOINT, self.device)
        if state is None:
            return 0
        self.loss_curve = state["losses"]
        self.training.weights, memory = state["weights"], self.training.memory
        memory.values, memory.mass = state["sums"]
        return n_epochs if has_ended else len(self.loss_curve)

    def _save(self, *, is_end):
        """Save the state if it is time."""
        n_done, training = len(self.loss_curve), self.training
        if is_end or n_done % self.estimator.checkpoint_every == 0:
            sums = training.memory.values, training.memory.mass
            state = {"losses": self.loss_curve, "weights": training.weights, "sums": sums}
            self.checkpoints.save(_CHECKPOINT, n_done, state, is_end=is_end)

    def attributes(self):
        """Return the fitted attributes of an estimator whose training stops now."""
        estimator, training = self.estimator, self.training
        relative = training.weights.cpu().numpy()
        weights = (relative + self.center).astype(output_dtype(self.X))
        metric = estimator.metric
        attributes = {
            "shape_": self.grid.shape,
            "cluster_centers_": weights,
            "unit_coordinates_": self.grid.coordinates.cpu().numpy().astype(np.float64),
            "u_matrix_": mean_adjacent_distances(self.grid, weights, metric).reshape(
                self.grid.shape
            ),
            "loss_curve_": list(self.loss_curve),
            "n_iter_": len(self.loss_curve),
            "device_": self.device,
            "_weights": relative,
            "_center": self.center,
            "_seed": self.seed,
            "_memory": training.memory_arrays(),
            "_fitted_params": {
                "topology": estimator.topology,
                "periodic": bool(estimator.periodic),
                "metric": metric,
            },
        }
        if estimator.n_clusters is not None:
            n_clusters = int(estimator.n_clusters)
            attributes["unit_labels_"] = unit_clusters(self.grid, weights, metric, n_clusters)
        return attributes | {"labels_": self._labels(attributes)}

    def _labels(self, attributes):
        """Nearest units of the training samples, or their clusters; (n_samples,)."""
        rows = self.training.rows
        units = apply_to_samples(
            lambda units, x: units.nearest(x)[0],
            rows if rows.index is None else self.X,
            attributes["_weights"],
            center=self.center,
            metric=self.training.settings.metric,
            has_missing=self.training.settings.has_missing,
            device=self.device,
        )
        return attributes["unit_labels_"][units] if "unit_labels_" in attributes else units
