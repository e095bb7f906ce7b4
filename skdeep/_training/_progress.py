"""What is shown of a training: a progress bar or a line for each epoch."""

import contextlib
import sys
import warnings
from typing import Any

from skorch.callbacks import Callback, PrintLog
from tqdm import TqdmWarning

with warnings.catch_warnings():
    # without ipywidgets, tqdm shows a text bar in notebooks, which is good enough
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm


# Entries of the history that the progress bar shows.
_SHOWN = ("train_loss", "valid_loss", "changed_labels", "assignment_nmi")


class EpochLog(PrintLog):
    """Prints a line for each epoch; entries that an epoch does not have are left blank."""

    def initialize(self):
        """Forget the entries of earlier epochs."""
        self.columns_: dict[str, None] = {}
        return super().initialize()

    def table(self, row):
        """Return the line of an epoch below the names of the columns."""
        if not row.keys() <= self.columns_.keys():
            self.first_iteration_ = True  # prints the names again
            self.columns_ |= dict.fromkeys(row)
        return super().table(self.columns_ | row)


class EpochProgress(Callback):
    """Progress bar over the epochs, with the latest losses and the fraction of changed labels.

    Printed to standard error; a widget in notebooks. It stays open during all trainings of a fit.

    Parameters
    ----------
    description : str
        Text to the left of the bar.
    """

    def __init__(self, description):
        self.description = description
        self.total = 0
        self.bar_: Any = None

    def on_train_begin(self, net, **kwargs):
        """Open the bar."""
        self.open()

    def on_epoch_end(self, net, **kwargs):
        """Advance the bar by one epoch."""
        self.advance(net.history[-1])

    def open(self):
        """Open the bar if it is not open."""
        if self.bar_ is None:
            options = {"total": self.total, "unit": "epoch", "file": sys.stderr}
            self.bar_ = tqdm(desc=self.description, **options)

    def advance(self, row):
        """Advance the bar by one epoch, whose losses are entries of a dict."""
        losses = {name: f"{row[name]:.4g}" for name in _SHOWN if name in row}
        self.bar_.set_postfix(losses, refresh=False)
        self.bar_.update()

    def complete(self):
        """Complete the bar, also if training stopped early."""
        if self.bar_ is not None:
            self.bar_.total = self.bar_.n

    def close(self):
        """Close the bar in its present state."""
        if self.bar_ is not None:
            self.bar_.close()


@contextlib.contextmanager
def show_progress(estimator):
    """Context manager that yields the callback that shows progress, None unless ``verbose=1``."""
    if estimator.verbose != 1:
        yield None
        return
    progress = EpochProgress(type(estimator).__name__)
    try:
        yield progress
        progress.complete()
    finally:
        progress.close()  # so that a traceback is printed below the bar
