"""Fitted models in files: ONNX graphs."""

from skdeep.persistence._onnx import register_converters, to_onnx

__all__ = ["to_onnx"]

register_converters()
