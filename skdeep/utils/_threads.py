"""Torch on one CPU thread, for the calling thread and for a while."""

import functools

import threadpoolctl
import torch

__all__ = ["one_thread"]


@functools.cache
def _controller():
    return threadpoolctl.ThreadpoolController()


def one_thread():
    """Context in which torch uses one thread for the calling thread."""
    torch.get_num_threads()  # torch sets a new thread's number when first asked: not later
    return _controller().limit(limits=1, user_api="openmp")
