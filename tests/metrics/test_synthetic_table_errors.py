"""Errors for invalid tables and options of the synthetic table report."""

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import LinearSVC

from skdeep.metrics import synthetic_table_report


def table(n):
    """A number, a date and a class."""
    height = np.random.default_rng(0).normal(size=n)
    born = pd.date_range("2000-01-01", periods=n)
    return pd.DataFrame({"height": height, "born": born, "label": ["yes", "no"] * (n // 2)})


def assert_refuses(message, *tables, **params):
    with pytest.raises(ValueError, match=message):
        synthetic_table_report(*tables, **params)


def test_tables_must_have_the_same_columns():
    X = table(20)
    message = (
        r"X_test must have unique column names.*as X in the same order.*by X_test\[X\.columns\]"
    )
    assert_refuses(message, X, X, X_test=X.drop(columns="born"))
    assert_refuses("X_synthetic must have unique column names", X, X[X.columns[::-1]])
    assert_refuses("X_synthetic must have unique column names", X, X.to_numpy())
    assert_refuses("X must have unique column names", X[["born", "born"]], X)


def test_tables_must_have_rows_and_two_dimensions():
    X = table(20)
    assert_refuses(r"X_synthetic must be a non-empty table.*shape=\(0, 3\)", X, X[:0])
    assert_refuses(r"X must be a non-empty table with two dimensions.*shape=\(3,\)", np.zeros(3), X)
    assert_refuses("X must be a non-empty table with two dimensions", [[1, 2]], X)


def test_columns_must_be_of_the_kind_that_they_have_in_X():
    X = table(20)
    renamed = X[["born"]].rename(columns={"born": "height"})
    assert_refuses("X_synthetic must hold.*no dates or time spans", X, X.assign(born=1))
    assert_refuses("X_test must hold.*not convert", X, X, X_test=X.assign(height="tall"))
    assert_refuses("X_synthetic must hold finite numbers", X[["height"]], renamed)
    assert_refuses("X must hold.*name categorical columns in cat", X.to_numpy(), X.to_numpy())
    assert_refuses("X_synthetic must hold finite.*infinity", X, X.assign(height=np.inf))


def test_target_must_be_a_column_of_classes_and_needs_unseen_rows():
    X, eye = table(40), np.eye(3)
    one_class, no_class = X[X["label"] == "yes"], X.assign(label=None)
    assert_refuses("target must be one of.*got 'income'", X, X, X_test=X, target="income")
    assert_refuses("target must be one of.*got -1", eye, eye, X_test=eye, target=-1)
    assert_refuses("target needs X_test, real rows.*target='label'", X, X, target="label")
    assert_refuses(
        "target must be a column of classes; got 40 num", X, X, X_test=X, target="height"
    )
    assert_refuses(
        "X_test must have at least 2 classes.*es=1", X, X, X_test=one_class, target="label"
    )
    assert_refuses(
        "X_synthetic must have at least 1 cl.*es=0", X, no_class, X_test=X, target="label"
    )


def test_estimator_and_random_state_are_checked():
    X = table(20)
    params = {"X_test": X, "estimator": LinearSVC()}
    assert_refuses("estimator needs a target to predict; got LinearSVC", X, X, **params)
    assert_refuses("must be a classifier with predict_proba", X, X, target="label", **params)
    assert_refuses("random_state must be a non-negative int", X, X, random_state=-1)
