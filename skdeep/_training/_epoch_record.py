"""Losses of an epoch."""

import torch


class EpochRecord:
    """Losses of the batches of an epoch and their terms, kept on the device until its end."""

    # The scalars of this many batches are packed together. Otherwise they fragment the memory of
    # the batches, which then cannot be reused: 100 kB were lost with each scalar.
    _PACK = 64

    def __init__(self):
        self.sizes: list[int] = []
        self._names: list[str] = []
        self._loose: list[torch.Tensor] = []
        self._packs: list[torch.Tensor] = []

    def add(self, step, n_rows):
        """Add the loss of a batch and its terms, if there are several; detached from the graph."""
        if not self.sizes and len(step["terms"]) > 1:
            self._names = list(step["terms"])
        self._loose.append(step["loss"].detach())
        self._loose.extend(step["terms"][name].detach() for name in self._names)
        self.sizes.append(n_rows)
        if len(self.sizes) % self._PACK == 0:
            self._pack()

    def _pack(self):
        if self._loose:
            values = torch.stack(self._loose).view(-1, 1 + len(self._names))
            self._packs.append(values)  # (batches, 1 + terms)
            self._loose = []

    def means(self):
        """Return the means over rows by name, with a single transfer from the device."""
        self._pack()
        share = torch.tensor(self.sizes, dtype=torch.float64) / sum(self.sizes)
        values = torch.cat(self._packs).cpu().double()
        return dict(zip(["loss", *self._names], (share @ values).tolist(), strict=True))
