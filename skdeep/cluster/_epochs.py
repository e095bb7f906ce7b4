"""What a clusterer does between two epochs."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from skdeep._neighbors import NeighborGraph
from skdeep.cluster._base import changed_fraction


@dataclass
class EpochEnd:
    """Draws new partners of the rows after each epoch, and monitors their labels."""

    estimator: Any
    graph: NeighborGraph | None
    n_steps: int
    rng: np.random.Generator
    labels: np.ndarray | None = None
    #: attributes that change during training
    saved: ClassVar[tuple[str, ...]] = ("rng", "labels")

    def draw_partners(self, fit):
        """Draw the partners of the next epoch."""
        if self.graph is not None:
            self.graph.draw_partners(fit.rows, self.n_steps, self.rng)

    def __call__(self, fit):
        """Prepare for the next epoch."""
        self.draw_partners(fit)
        if self.estimator.tol or self.estimator.verbose == 1:
            self.monitor(fit)

    def monitor(self, fit):
        """Record the fraction of changed labels, and stop if it is small."""
        labels = self.estimator._labels(fit)
        if self.labels is not None:
            changed = changed_fraction(labels, self.labels, fit.data.weight)
            fit.net.history.record("changed_labels", changed)
            if changed < self.estimator.tol:
                fit.net.request_stop()
        self.labels = labels
