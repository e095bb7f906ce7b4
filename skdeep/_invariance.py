"""Parameters of estimators whose predictions are invariant to views of the samples."""

from collections.abc import Sequence
from typing import ClassVar

from skdeep._neighbors import NeighborGraph
from skdeep.nn._cluster_net import INVARIANCES
from skdeep.utils._params import POSITIVE, POSITIVE_INTEGER, Parameters, param
from skdeep.utils._random import numpy_generator
from skdeep.utils._sklearn import StrOptions


class InvarianceMixin(Parameters):
    """Kinds of views, and the neighbors that some of them need, for modules like ``ClusterNet``."""

    invariance: str | Sequence[str] = param(
        StrOptions({"auto", *INVARIANCES}), list, tuple, default="auto"
    )
    invariance_strength: float = param(POSITIVE, default=1.0)
    n_neighbors: int = param(POSITIVE_INTEGER, default=10)

    #: ``invariance="auto"`` for tables
    _auto_views: ClassVar[str] = "neighbors"
    # no weights depend on them
    _changeable = ("invariance", "strength")

    @property
    def _has_images(self):
        return self.image_shape is not None

    def _views(self):
        """Return the kinds of views, in the order of ``INVARIANCES``."""
        given = self.invariance
        if given == "auto":
            given = "affine" if self._has_images else self._auto_views
        given = [given] if isinstance(given, str) else list(given)
        if not given or not all(kind in INVARIANCES for kind in given):
            raise ValueError(
                f"invariance must be 'auto' or consist of {', '.join(map(repr, INVARIANCES))}; got "
                f"{self.invariance!r}."
            )
        return tuple(kind for kind in INVARIANCES if kind in given)

    def _default_layers(self, image_shape):
        """Return the value of ``hidden_layer_sizes="auto"``."""
        return () if image_shape is None else (16, 32)

    def _check_combination(self):
        """Raise ``ValueError`` for parameters that cannot be combined."""
        if "affine" in self._views() and not self._has_images:
            raise ValueError(
                "invariance='affine' needs image_shape; got image_shape=None. Set image_shape, or "
                "use 'neighbors', 'noise' or 'vat', which work for tables."
            )

    def _neighbor_graph(self, rows, seed):
        """Return the near neighbors of rows; None if no view needs them."""
        if self._views() == ("affine",):
            return None
        return NeighborGraph(rows, int(self.n_neighbors), numpy_generator(seed))
