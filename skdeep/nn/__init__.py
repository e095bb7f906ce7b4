"""Torch modules and losses, independent of scikit-learn and skorch."""
