"""A training run that is ready to start."""

from typing import NamedTuple

from skdeep._training._data import StreamedRows, TensorRows
from skdeep._training._net import TrainingNet
from skdeep._training._threads import thread_scope

__all__ = ["Run"]


class Run(NamedTuple):
    """A net, its data and the number of epochs: the arguments of ``train_on``.

    A run is executed by itself, or by ``train_together`` with others of the same shape.
    """

    net: TrainingNet
    rows: TensorRows | StreamedRows
    valid_rows: TensorRows | StreamedRows | None
    n_epochs: int
    lr_schedule: str
    n_schedule_epochs: int
    first_epoch: int = 0

    def options(self):
        """Return the keyword arguments of the net's ``train_on`` and ``begin_training``."""
        return {
            "n_epochs": self.n_epochs,
            "lr_schedule": self.lr_schedule,
            "n_schedule_epochs": self.n_schedule_epochs,
            "first_epoch": self.first_epoch,
        }

    def start(self):
        """Train the net by itself."""
        net = self.net
        with thread_scope(net.module_, net.batch_rows(self.rows), net.device):
            net.train_on(self.rows, self.valid_rows, **self.options())
