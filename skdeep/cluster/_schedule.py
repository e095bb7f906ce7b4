"""How the restarts of IMSAT are trained, and when they are compared."""

import math
from dataclasses import dataclass
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of restart."""

    #: steps of random walks to neighbors in the first stage
    walk: int
    #: whether more clusters than wanted are trained and merged
    merges: bool


class Stage(NamedTuple):
    """A part of the training, from one epoch to another."""

    phase: str
    first: int
    last: int
    walk: int


# Restarts take turns. Long walks find elongated clusters, merging finds clusters of unequal size.
_WITH_WALKS = Kind(3, False), Kind(30, False), Kind(3, True)
_WITHOUT_WALKS = Kind(1, False), Kind(1, True)
#: Steps of random walks in the last stage.
LAST_WALK = 3
# End of the first stage of restarts with walks; end of that of others, if they merge clusters.
_FIRST_STAGE, _MERGED_STAGE = 0.6, 0.5
# Of restarts with images, half of each kind are dropped whenever the number of epochs has doubled,
# until one is left after this fraction of the epochs.
_LEFT = 0.4


@dataclass
class Schedule:
    """Stages of training by the number of a restart, counted from zero.

    Parameters
    ----------
    n_epochs : int
    n_starts : int
    has_walks : bool
        Whether views are the ends of random walks to neighbors.
    has_images : bool
    can_merge : bool
        Whether the data allow restarts that merge clusters.
    """

    n_epochs: int
    n_starts: int
    has_walks: bool
    has_images: bool
    can_merge: bool

    @property
    def kinds(self):
        """Kinds of restarts, in turn."""
        kinds = _WITH_WALKS if self.has_walks else _WITHOUT_WALKS
        return [kind for kind in kinds if self.can_merge or not kind.merges]

    def kind(self, number):
        """Return the kind of a restart."""
        return self.kinds[number % len(self.kinds)]

    def stages(self, number):
        """Return the stages of a restart."""
        kind, end = self.kind(number), self.n_epochs
        if not self.has_walks and not kind.merges:
            return [Stage("first", 0, end, 1)]
        border = int(_FIRST_STAGE * end) if self.has_walks else math.ceil(_MERGED_STAGE * end)
        return [
            Stage("first", 0, border, kind.walk),
            Stage("last", border, end, LAST_WALK if self.has_walks else 1),
        ]

    def merging_epoch(self, number):
        """Return the epoch after which clusters are merged, None for never."""
        if not self.kind(number).merges:
            return None
        return self.n_epochs if self.has_walks else math.ceil(_MERGED_STAGE * self.n_epochs)

    @property
    def comparisons(self):
        """Epochs at which restarts are compared, the last one of which ends training."""
        n_halvings = 0
        if self.has_images:
            n_halvings = math.ceil(math.log2(math.ceil(self.n_starts / len(self.kinds))))
        halvings = {math.ceil(_LEFT * self.n_epochs / 2**k) for k in range(n_halvings)}
        return sorted(halvings | {self.n_epochs})
