"""Torch modules and losses; pure torch, without scikit-learn or skorch."""
