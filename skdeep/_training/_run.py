"""A training run that is ready to start."""

from typing import NamedTuple

from skdeep._training._data import StreamedRows, TensorRows
from skdeep._training._net import TrainingNet
from skdeep.utils._threads import thread_scope


class Run(NamedTuple):
    """A training that is ready to start.

    It is carried out by itself, or by ``train_together`` with others of the same shape.
    """

    net: TrainingNet
    rows: TensorRows | StreamedRows
    valid_rows: TensorRows | StreamedRows | None
    n_epochs: int
    lr_schedule: str
    #: number of epochs of the schedule; training may end earlier
    n_schedule_epochs: int
    #: number of epochs of the schedule that earlier runs have completed
    first_epoch: int = 0

    def start(self):
        """Train the net by itself."""
        net = self.net
        with thread_scope(net.module_, net.batch_rows(self.rows), net.device):
            net.train_on(self)
