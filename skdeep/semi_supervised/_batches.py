"""Batches with labelled and unlabelled samples."""

import torch

from skdeep._training._data import Batches, equal_sizes
from skdeep._training._net import TrainingNet
from skdeep.nn._few_labels_net import CODE

# Fraction of a batch that has a label; labelled samples are repeated if there are fewer.
_LABELLED = 0.25


class LabelledBatches(Batches):
    """Iterator over the batches of one epoch, to each of which labelled samples are added.

    An epoch visits every sample once. If a label is missing, labelled samples are added to each
    batch, in turn: up to a quarter of its size, but at least one of them and at most all.
    """

    def __iter__(self):
        rows = self.rows
        if self.n_batches == 1:
            yield rows.all()
            return
        labelled = torch.nonzero(rows.y[:, CODE].cpu() >= 0).squeeze(1)
        sizes = equal_sizes(len(rows), self.n_batches)
        n_added = self._n_added(len(labelled), sizes[0])
        order = torch.randperm(len(rows), generator=self.generator).split(sizes)
        n_needed = n_added * len(order)
        added = [labelled[:0]]
        while sum(map(len, added)) < n_needed:
            added.append(labelled[torch.randperm(len(labelled), generator=self.generator)])
        added = torch.cat(added)[:n_needed].unflatten(0, (len(order), n_added))
        for part, more in zip(order, added, strict=True):
            yield rows.fetch(rows.place(torch.cat([part, more])))

    def _n_added(self, n_labelled, batch_rows):
        """Return the number of labelled samples that each batch gets; none if all are."""
        n_rows = len(self.rows)
        if n_labelled == n_rows:
            return 0
        wanted = min(n_labelled, int(_LABELLED * batch_rows))
        return max(1, wanted - batch_rows * n_labelled // n_rows)


class FewLabelsTraining(TrainingNet):
    """skorch net that is trained on ``LabelledBatches``."""

    def get_iterator(self, dataset, training=False):
        """Return the batches of an epoch."""
        return LabelledBatches(dataset, self.n_batches(dataset), self.shuffle_generator)
