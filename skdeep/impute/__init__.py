"""Imputation of missing values with deep nets."""

from skdeep.impute._autoencoder_imputer import AutoencoderImputer

__all__ = ["AutoencoderImputer"]
