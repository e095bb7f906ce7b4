"""Fitted estimators in files: safe ones for skdeep, and ONNX graphs for other programs."""

from skdeep.persistence._files import load, save
from skdeep.persistence._onnx import register_converters, to_onnx

__all__ = ["load", "save", "to_onnx"]

register_converters()
