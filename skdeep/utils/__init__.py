"""Utilities that are independent of nets and estimators."""

from skdeep.utils._device import available_devices
from skdeep.utils._discovery import all_estimators

__all__ = ["all_estimators", "available_devices"]
