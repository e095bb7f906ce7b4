"""Deep nets that behave exactly like scikit-learn estimators."""

__version__ = "0.1.0"
