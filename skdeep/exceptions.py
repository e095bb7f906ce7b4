"""Errors and warnings that skdeep raises."""

__all__ = ["DeviceUnavailableWarning", "DivergenceError"]


class DivergenceError(ValueError):
    """Training produced a loss or a parameter that is not finite.

    The message names the epoch and the step size. An estimator that was never fitted stays
    unfitted; one that was fitted before keeps the state it had when the call began.
    """


class DeviceUnavailableWarning(UserWarning):
    """An estimator moves to the CPU: this machine lacks the device that it was trained on."""
