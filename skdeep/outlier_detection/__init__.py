"""Detection of outliers and of new samples that are unlike the training samples."""

from skdeep.outlier_detection._autoencoder import AutoencoderOutlierDetector
from skdeep.outlier_detection._diffusion_time import DiffusionTimeDetector

__all__ = ["AutoencoderOutlierDetector", "DiffusionTimeDetector"]
