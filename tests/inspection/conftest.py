"""Fixtures of the displays' tests, which compare the data of artists, not pixels."""

import matplotlib as mpl
import pytest


@pytest.fixture(autouse=True)
def plt():
    """Pyplot without a screen; all figures are closed before and after."""
    mpl.use("agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    yield plt
    plt.close("all")
