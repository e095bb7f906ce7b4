"""What a net minimizes."""

import functools
import operator

from torch import nn

from skdeep.nn.losses import mean_over_rows


class Objective(nn.Module):
    """Weighted mean of the per-row losses that a pure function gives.

    Parameters
    ----------
    loss_terms : callable
        ``loss_terms(output, batch, hyperparameters)`` gives a dict of per-row losses, each of
        shape (batch,); their sum is minimised. Where rows weigh the same a term may be its mean
        already, a scalar: torch has one kernel for that.
    hyperparameters : dict or None
        Plain values that the function reads.
    is_paired : bool
        Whether the module also takes ``batch.y`` and ``batch.partner``.
    is_stackable : bool
        Whether nets can be stacked in a phase of training: all weights take part, and no targets
        change between epochs.
    support : dict or None
        ``low``, ``high`` and ``reason`` of a range that samples must lie in.

    Attributes
    ----------
    lifted : frozenset of str
        Hyperparameters that may differ between the nets of a stack.
    """

    lifted: frozenset[str] = frozenset()

    def __init__(
        self, loss_terms, hyperparameters=None, *, is_paired=False, is_stackable=False, support=None
    ):
        super().__init__()
        self.loss_terms = loss_terms
        self.hyperparameters = hyperparameters or {}
        self.is_paired = is_paired
        self.is_stackable = is_stackable
        self.support = support

    def output(self, module, batch):
        """Return the output of a module for a batch."""
        return module(batch.x, batch.y, batch.partner) if self.is_paired else module(batch.x)

    def forward(self, output, batch):
        """Mean loss, a scalar, and the mean of each term, a dict of scalars; one for each member.

        A stack of nets gives (members, batch, ...) tensors and gets (members,) ones.
        """
        terms = self.loss_terms(output, batch, self.hyperparameters)
        means = {
            name: term if term.ndim == batch.x.ndim - 2 else _weighted_mean(term, batch.weight)
            for name, term in terms.items()
        }
        return functools.reduce(operator.add, means.values()), means


def _weighted_mean(term, weight):
    """Mean over rows with weights of mean one."""
    return mean_over_rows(term if weight is None else term * weight)
