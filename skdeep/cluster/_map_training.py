"""Training of self-organizing maps."""

from dataclasses import dataclass

import numpy as np
import torch

from skdeep.cluster._map_rows import MapRows, chunk_length
from skdeep.exceptions import DivergenceError
from skdeep.nn._grid import Grid
from skdeep.nn._unit_distances import UnitDistances


@dataclass
class Schedule:
    """A value that changes from ``start`` to ``end`` during training."""

    start: float
    end: float
    decay: str

    def at(self, progress):
        """Value at a fraction of the training; that of 1 afterwards."""
        progress = min(progress, 1.0)
        if self.decay == "linear" or self.start == self.end:
            return self.start + progress * (self.end - self.start)
        return self.start * (self.end / self.start) ** progress


@dataclass
class Settings:
    """Parameters of the training of a map."""

    algorithm: str
    metric: str
    has_missing: bool
    radius: Schedule
    learning_rate: Schedule
    n_epochs: int
    batch_size: int
    shuffle: bool
    seed: int


class MapTraining:
    """A map in training.

    Parameters
    ----------
    grid : Grid
    rows : MapRows
    settings : Settings
    weights : ndarray of shape (n_units, n_features)
        Initial unit weights, from which the center of ``rows`` has been subtracted.
    memory : tuple of two ndarrays or None
        Sums of an earlier training, see ``Sums``, for the algorithm ``"minibatch"``.
    """

    def __init__(self, grid: Grid, rows: MapRows, settings: Settings, weights, memory=None):
        self.grid, self.rows, self.settings = grid, rows, settings
        self.weights = torch.tensor(weights, dtype=rows.dtype, device=rows.device)
        self.length = chunk_length(grid.n_units, rows.X.shape[1])
        self.memory = Sums(self.weights, settings.has_missing, memory)

    @torch.inference_mode()
    def run_epoch(self, epoch):
        """Train for one epoch, counted from zero.

        Returns
        -------
        loss : float
            Mean distance from samples to their nearest units, before these were updated.
        change : float
            With a constant radius, squared change of the unit weights, relative to their variance;
            else infinity.
        """
        run = {"batch": self._batch, "online": self._online, "minibatch": self._mini_batches}
        before, radius = self.weights, self.settings.radius
        total = run[self.settings.algorithm](epoch)
        loss = float(total) / self._total_weight
        if not (np.isfinite(loss) and self.weights.isfinite().all()):
            raise DivergenceError(
                f"The unit weights stopped being finite in epoch {epoch + 1} with "
                f"radius={radius.at(epoch / self.settings.n_epochs):.3g}. Lower "
                "radius or learning_rate, or scale the features."
            )
        is_constant = radius.start == radius.end
        return loss, _relative_change(before, self.weights) if is_constant else np.inf

    @property
    def _total_weight(self):
        return len(self.rows) if self.rows.weight is None else float(self.rows.weight.sum())

    def memory_arrays(self):
        """Return the sums from which later training with mini-batches can continue."""
        return tuple(one.cpu().numpy() for one in (self.memory.values, self.memory.mass))

    def _units(self):
        has_missing = self.settings.has_missing
        return UnitDistances(self.weights, self.settings.metric, has_missing=has_missing)

    def _batch(self, epoch):
        """Set all weights to the means of the samples nearby on the map [1]_.

        References
        ----------
        .. [1] Kohonen (2013), "Essentials of the Self-Organizing Map", Neural Networks.
        """
        units, sums, total = self._units(), Sums(self.weights, self.settings.has_missing), 0.0
        for chunk in self.rows.chunks(self.length):
            total = total + sums.add(units, *chunk)
        self.memory.decay_towards(sums, 1.0, self._total_weight)
        last = max(1, self.settings.n_epochs - 1)
        self.weights = sums.means(self.grid, self.weights, self.settings.radius.at(epoch / last))
        return total

    def _mini_batches(self, epoch):
        """Update the weights after each mini-batch from exponentially decaying sums."""
        settings, total = self.settings, 0.0
        n_batches = -(-len(self.rows) // settings.batch_size)
        batches = self.rows.chunks(settings.batch_size, self._order(epoch))
        for number, (x, weight, _) in enumerate(batches):
            progress = (epoch + number / n_batches) / settings.n_epochs
            units, sums = self._units(), Sums(self.weights, settings.has_missing)
            for part in range(0, len(x), self.length):
                rows = slice(part, part + self.length)
                part_weight = None if weight is None else weight[rows]
                total = total + sums.add(units, x[rows], part_weight)
            mass = len(x) if weight is None else weight.sum()
            self.memory.decay_towards(sums, settings.learning_rate.at(progress), mass)
            radius = settings.radius.at(progress)
            self.weights = self.memory.means(self.grid, self.weights, radius)
        return total

    def _online(self, epoch):
        """Update the weights after each sample [1]_.

        References
        ----------
        .. [1] Kohonen (1982), "Self-organized formation of topologically correct feature maps",
           Biological Cybernetics.
        """
        total, step = 0.0, 0
        for x, weight, _ in self.rows.chunks(self.length, self._order(epoch)):
            distances = []
            for number in range(len(x)):
                progress = (epoch + step / len(self.rows)) / self.settings.n_epochs
                one = None if weight is None else weight[number]
                distances.append(self._step(x[number : number + 1], one, progress))
                step += 1
            distances = torch.stack(distances)
            total = total + (distances if weight is None else distances * weight).sum()
        return total

    def _step(self, x, weight, progress):
        """Move all units towards one sample; return its distance."""
        best, distance = self._units().nearest(x)
        best = int(best)
        kernel = self.grid.neighborhoods(slice(best, best + 1), self.settings.radius.at(progress))
        rate = self.settings.learning_rate.at(progress) * kernel.T  # (n_units, 1)
        if weight is not None:  # as many steps at once
            rate = 1 - (1 - rate) ** weight
        difference = x - self.weights
        if self.settings.has_missing:
            difference = difference.nan_to_num(nan=0.0)
        self.weights = torch.addcmul(self.weights, rate, difference)
        return distance[0]

    def _order(self, epoch):
        """Order of the samples in an epoch, a function of seed and epoch."""
        if not self.settings.shuffle:
            return np.arange(len(self.rows))
        return np.random.default_rng((self.settings.seed, epoch)).permutation(len(self.rows))


def _relative_change(before, after):
    change = float((after - before).square().sum())
    variance = float((before - before.mean(dim=0)).square().sum())
    return change / variance if variance else np.inf if change else 0.0


class Sums:
    """Sums of samples and their weights by nearest unit.

    Parameters
    ----------
    weights : Tensor of shape (n_units, n_features)
    has_missing : bool
        Whether weights are summed for each feature, over samples in which it is observed.
    initial : tuple of two ndarrays or None
        Sums to continue from, unless they are sums for another ``has_missing``.
    """

    def __init__(self, weights, has_missing, initial=None):
        n_units, n_features = weights.shape
        widths = n_features, n_features if has_missing else 1
        if initial is None or initial[1].shape[1] != widths[1]:
            self.values, self.mass = (weights.new_zeros(n_units, width) for width in widths)
        else:
            options = {"dtype": weights.dtype, "device": weights.device}
            self.values, self.mass = (torch.tensor(one, **options) for one in initial)
        self.has_missing = has_missing

    def add(self, units, x, weight=None, squared_norms=None):
        """Add samples to their nearest units; return the (weighted) sum of distances.

        Parameters
        ----------
        units : UnitDistances
        x, weight, squared_norms
            See ``MapRows.fetch``.
        """
        best, distance = units.nearest(x, squared_norms)
        if self.has_missing:
            mass = (~x.isnan()).to(x.dtype)
            x = x.nan_to_num(nan=0.0)
        else:
            mass = x.new_ones(()).expand(len(x), 1)
        if weight is not None:
            x, mass, distance = x * weight[:, None], mass * weight[:, None], distance * weight
        if x.device.type == "cpu":
            self.values.index_add_(0, best, x)
            self.mass.index_add_(0, best, mass)
        else:  # where atomic additions would be in any order
            is_best = torch.nn.functional.one_hot(best, len(self.values)).to(x.dtype).T
            self.values += is_best @ x
            self.mass += is_best @ mass
        return distance.sum(dtype=torch.float64 if x.device.type != "mps" else x.dtype)

    def decay_towards(self, other, rate, mass):
        """Move the sums towards those of a mini-batch, divided by the weight of all its samples."""
        # not in place: a fitted estimator may share the memory
        self.values = self.values.lerp(other.values / mass, rate)
        self.mass = self.mass.lerp(other.mass / mass, rate)

    def means(self, grid, weights, radius):
        """Means over the neighborhood of each unit; if it has no samples, its present weights.

        If the neighborhood function has negative values, units move by the sum of its products with
        the differences to the samples, over the sum of its absolute values.
        """
        n_features = weights.shape[1]
        smooth = grid.smooth(torch.cat([self.values, self.mass], dim=1), radius)
        values, mass = smooth[:, :n_features], smooth[:, n_features:]
        if grid.neighborhood == "mexican_hat":
            absolute = grid.smooth(self.mass, radius, absolute=True)
            values, mass = values + weights * (absolute - mass), absolute
        return torch.where(mass > 0, values / mass, weights)
