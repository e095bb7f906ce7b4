"""Limit on the memory of what a file describes."""

import math

from torch.utils._python_dispatch import TorchDispatchMode

from skdeep.exceptions import PersistenceError

# Values of a net for each byte of a file: a file has four bytes or more for each weight. The
# constant covers what is not saved, such as padding.
_PER_BYTE, _CONSTANT = 2, 2**22
# Value counted for each tensor, so that the number of tensors is limited, too.
_PER_TENSOR = 64

_FACTORIES = {"empty", "full", "ones", "rand", "randn", "zeros"}


class AllocationLimit(TorchDispatchMode):
    """Context manager in which torch cannot allocate much more memory than a file has bytes.

    A small file may describe a huge net.

    Parameters
    ----------
    n_bytes : int
        Size of the file.
    """

    def __init__(self, n_bytes):
        super().__init__()
        self.left = _PER_BYTE * n_bytes + _CONSTANT

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Count the values of a new tensor before it is allocated."""
        if func.overloadpacket.__name__ in _FACTORIES:
            self.left -= max(_PER_TENSOR, math.prod(args[0]))
            if self.left < 0:
                raise PersistenceError("the net that it describes is larger than the file.")
        return func(*args, **(kwargs or {}))
