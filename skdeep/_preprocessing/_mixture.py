"""Tables of numbers and category codes as floats and one-hot choices, for a generator."""

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.mixture import BayesianGaussianMixture

from skdeep._preprocessing._distribution import distinct_values
from skdeep._preprocessing._scaler import Scaler

# A value that at least this fraction of the samples has is an option of its own.
_ATOM_FRACTION = 0.05
# Modes of less weight are dropped, as in the authors' code of CTGAN.
_LEAST_WEIGHT = 0.005
# Maximum number of quantiles that a mixture is fitted to, and their number per distinct value.
_MAX_QUANTILES = 2000
_QUANTILES_PER_VALUE = 4
_MAX_ITER = 100
# Largest distance from a mode in a tensor, in units of four standard deviations; the tanh of the
# generator reaches one.
_FARTHEST = 2.0


@dataclass(eq=False, repr=False)
class MixtureScaler(Scaler, kind="mixture"):
    """Encodes each column as a one-hot choice among options and, for numbers, a float.

    The options of a column of categories are its codes. A column of numbers has an option for each
    mode of a Gaussian mixture, where the float is the distance from the mean of the mode in units
    of four standard deviations [1]_, and one for each atom, a single value that many samples have
    [2]_, where the float is 0. If values were missing in training, the last option means that the
    value is missing.

    ``to_array`` and ``inverse`` clip nothing: training values come back as they were, and a
    generator that ends in tanh stays within four standard deviations of a mode by itself.

    Parameters
    ----------
    n_categories : tuple of int
        Number of codes of each column; 0 for numbers.
    weights, means, stds : list of ndarray of shape (n_modes,)
        Modes of each column; empty for categories.
    atoms : list of ndarray of shape (n_atoms,)
        Atoms of each column, ascending.
    gaps : tuple of bool
        Whether values were missing in training, for each column.

    References
    ----------
    .. [1] Xu et al. (2019), "Modeling Tabular Data using Conditional GAN", NeurIPS.
    .. [2] Zhao et al. (2021), "CTAB-GAN: Effective Table Data Synthesizing", ACML.
    """

    n_categories: tuple[int, ...]
    weights: list[np.ndarray]
    means: list[np.ndarray]
    stds: list[np.ndarray]
    atoms: list[np.ndarray]
    gaps: tuple[bool, ...]

    @classmethod
    def fit(cls, X, sample_weight=None, *, rng, n_categories=None, n_modes=10):
        """Learn modes, atoms and where values are missing.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_columns)
            Numbers and, in columns of categories, codes from zero on; NaN for missing ones.
        sample_weight : ndarray of shape (n_rows,) or None
            A sample of weight two counts as the sample twice, to the last bit; one of weight zero
            as none.
        rng : numpy.random.Generator
            Its seed initialises the mixtures; its position does not matter.
        n_categories : sequence of int or None
            Number of codes of each column, 0 for numbers; None for numbers only.
        n_modes : int
            Maximum number of modes of a column.
        """
        weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight)
        X, weight = X[weight > 0], weight[weight > 0]
        n_categories = [0] * X.shape[1] if n_categories is None else n_categories
        random_state = int(rng.bit_generator.seed_seq.generate_state(1)[0])
        modes, atoms = [], []
        for column, n_codes in zip(X.T, n_categories, strict=True):
            known = ~np.isnan(column) & (n_codes == 0)  # nothing is learned of categories
            values, mass = distinct_values(column[known] + 0.0, weight[known])  # -0.0 is 0.0
            is_atom = _find_atoms(mass)
            atoms.append(values[is_atom])
            modes.append(_fit_modes(values[~is_atom], mass[~is_atom], n_modes, random_state))
        weights, means, stds = map(list, zip(*modes, strict=True))
        gaps = tuple(np.isnan(X).any(axis=0).tolist())
        return cls(tuple(map(int, n_categories)), weights, means, stds, atoms, gaps)

    @property
    def layout(self):
        """Number of floats, 0 or 1, and of the options after them, for each column in order."""
        sizes = zip(self.n_categories, self.means, self.atoms, self.gaps, strict=True)
        return tuple(
            (int(len(means) > 0), n_codes + len(means) + len(atoms) + has_gap)
            for n_codes, means, atoms, has_gap in sizes
        )

    @property
    def width(self):
        """Number of columns of what ``to_tensor`` and ``to_array`` return."""
        return sum(map(sum, self.layout))

    def _blocks(self):
        """Yield each column, the index of its float or None, and the slice of its options."""
        starts = itertools.accumulate(map(sum, self.layout), initial=0)
        for column, (start, (n_floats, n_options)) in enumerate(
            zip(starts, self.layout, strict=False)
        ):
            first = start + n_floats
            yield column, start if n_floats else None, slice(first, first + n_options)

    def choices(self, table):
        """Index of the option of each entry among those of its column, (n, n_columns) array of int.

        A number far from all modes that is no atom gets the nearest option.

        Raises
        ------
        ValueError
            If an entry is missing, or not missing, in a column where no such entry was in training.
        """
        options = np.empty(table.shape, dtype=int)
        for number, (column, (_, n_options)) in enumerate(zip(table.T, self.layout, strict=True)):
            missing = np.isnan(column)
            has_values = n_options > self.gaps[number]
            if (missing.any() and not self.gaps[number]) or not (missing.all() or has_values):
                raise ValueError(
                    "Values may be missing only in columns where some were in training, and must "
                    f"be if all were; got {missing.sum()} of {len(column)} in column {number}."
                )
            options[missing, number] = n_options - 1
            options[~missing, number] = self._choose(number, column[~missing])
        return options

    def _choose(self, number, values):
        """Options of values: their codes, the atom of that value, or the likeliest mode."""
        if self.n_categories[number]:
            assert values.max(initial=0) < self.n_categories[number], values.max()
            return values.astype(int)
        atoms, means, stds = self.atoms[number], self.means[number], self.stds[number]
        option = np.zeros(len(values), dtype=int)
        if len(means):
            # NOTE[DIFF]: the authors draw the mode by its responsibility; here the largest wins.
            with np.errstate(over="ignore"):
                distance = ((values[:, np.newaxis] - means) / stds) ** 2  # (n, n_modes)
            option = np.argmax(np.log(self.weights[number] / stds) - distance / 2, axis=1)
        if len(atoms):
            middles = atoms[:-1] / 2 + atoms[1:] / 2
            nearest = np.searchsorted(middles, values)
            is_atom = (atoms[nearest] == values) | (not len(means))
            option[is_atom] = len(means) + nearest[is_atom]
        return option

    def to_array(self, table):
        """Encode samples as floats and one-hot choices, (n, n_columns) -> (n, width), float64."""
        choices = self.choices(table)
        array = np.zeros((len(table), self.width))
        rows = np.arange(len(table))
        for column, at, options in self._blocks():
            choice = choices[:, column]
            array[rows, options.start + choice] = 1
            if at is not None:
                in_mode = choice < len(self.means[column])
                mode = choice[in_mode]
                distance = table[in_mode, column] - self.means[column][mode]
                array[in_mode, at] = distance / (4 * self.stds[column][mode])
        return array

    def to_tensor(self, X):
        """Encode samples, (n, n_columns) -> (n, width) float32 tensor.

        Floats far beyond the reach of a generator are clipped.
        """
        array = self.to_array(X).clip(-_FARTHEST, _FARTHEST)
        return torch.from_numpy(array.astype(np.float32))

    def inverse(self, array):
        """Decode samples, (n, width) array -> (n, n_columns) array of float64.

        The largest value among the options of a column decides, so probabilities or logits do.
        """
        array = np.asarray(array, dtype=np.float64)
        table = np.empty((len(array), len(self.n_categories)))
        for column, at, options in self._blocks():
            choice = array[:, options].argmax(axis=1)
            means, stds, atoms = self.means[column], self.stds[column], self.atoms[column]
            # value of each option: a code, the mean of a mode, an atom or missing
            middles = np.concatenate([np.arange(self.n_categories[column]), means, atoms, [np.nan]])
            table[:, column] = middles[choice]
            if at is not None:
                in_mode = choice < len(means)
                table[in_mode, column] += 4 * stds[choice[in_mode]] * array[in_mode, at]
        return table


def _find_atoms(mass):
    """Mask of values that many samples have, and of a single value beside such ones."""
    # a little less, since fractions of uneven weights are rounded
    is_atom = mass >= _ATOM_FRACTION * (1 - 1e-9) * mass.sum()
    return is_atom | (np.sum(~is_atom) == 1)


def _fit_modes(values, mass, n_modes, random_state):
    """Weights, means and standard deviations of the modes of a distribution."""
    if not len(values):
        return np.empty(0), np.empty(0), np.empty(0)
    # their number must not depend on how often samples are repeated
    n_points = min(_MAX_QUANTILES, _QUANTILES_PER_VALUE * len(values))
    levels = (np.arange(n_points) + 0.5) / n_points
    points = values[np.searchsorted(np.cumsum(mass) / mass.sum(), levels).clip(max=len(values) - 1)]
    # divided by the largest value first, so that squares neither overflow nor vanish
    unit = np.abs(values).max()
    points = points / unit
    center, scale = points.mean(), points.std()
    if scale == 0:  # all other values are too rare to be among the points
        center, scale = (values / unit).mean(), (values / unit).std()
    points = (points - center) / scale
    # the mixture cannot tell closer points apart: its variances are 1e-6 at least
    n_distinct = len(np.unique(points.round(4)))
    mixture = _QuietMixture(
        n_components=min(n_modes, n_distinct),
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=1e-3,
        max_iter=_MAX_ITER,
        random_state=random_state,
    ).fit(points[:, np.newaxis])
    kept = mixture.weights_ > _LEAST_WEIGHT
    means, stds = mixture.means_[kept, 0], np.sqrt(mixture.covariances_[kept, 0, 0])
    stds = np.maximum(unit * scale * stds, np.finfo(np.float64).tiny)
    return mixture.weights_[kept], unit * (center + scale * means), stds


class _QuietMixture(BayesianGaussianMixture):
    """Mixture that stops after ``max_iter`` iterations without a warning, in any thread.

    ``warnings.catch_warnings`` would change the filters of all threads.
    """

    @property
    def converged_(self):
        return True

    @converged_.setter
    def converged_(self, value):
        pass
