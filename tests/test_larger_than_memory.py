"""Data that are larger than memory, read by blocks."""

BLOCKS = """
import sys
import dask.array as da
import numpy as np
from pathlib import Path
from skdeep.decomposition import Autoencoder

def megabytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1e3

def rows(block_id, n_rows=100_000):
    rng = np.random.default_rng(block_id[0])
    return rng.normal(size=(n_rows, 5)) @ np.random.default_rng(0).normal(size=(5, 50))

X = da.map_blocks(rows, chunks=((100_000,) * 10, (50,)), dtype=float)
ae = Autoencoder(5, hidden_layer_sizes=(), batch_size=4096, lr=3e-2, random_state=0)
ae.partial_fit(X.blocks[0][:1000].compute())
before = megabytes("VmRSS")
for block in X.blocks:
    ae.partial_fit(block.compute())
print(X.nbytes / 1e6, megabytes("VmHWM") - before, ae.score(X[:1000].compute()))
"""


def test_blocks_of_a_dask_array_take_the_memory_of_one_block(run_python):
    size, growth, score = map(float, run_python(BLOCKS).split())
    assert size == 400.0 and growth < 250
    assert score > -0.05  # of a variance of 5
