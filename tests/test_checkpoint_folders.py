"""Checkpoints: which folder is that of the same fit."""

import pytest

from skdeep.ensemble import DeepEnsembleClassifier
from skdeep.model_selection import BatchedGridSearchCV
from skdeep.neural_network import ResNetClassifier


def _net(**params):
    return ResNetClassifier(1, width=8, max_epochs=2, device="cpu", random_state=0, **params)


def test_the_order_of_class_weights_does_not_matter(X, y, assert_same, tmp_path):
    weights = {0: 1.0, 1: 3.0}
    first = _net(checkpoint=tmp_path, class_weight=weights).fit(X, y)
    in_other_order = dict(reversed(weights.items()))
    second = _net(checkpoint=tmp_path, class_weight=in_other_order).fit(X, y)
    for one in (first, second):
        one.set_params(checkpoint=None, class_weight=None)
    assert_same(first, second, X)
    with pytest.raises(ValueError, match="differs in: class_weight"):
        _net(checkpoint=tmp_path, class_weight={0: 3.0, 1: 1.0}).fit(X, y)


def test_an_empty_name_is_no_folder(X, y, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = _net(checkpoint="")
    for estimator in (net, DeepEnsembleClassifier(net, 2), BatchedGridSearchCV(net, {}, cv=2)):
        with pytest.raises(ValueError, match="checkpoint must name a folder; got ''"):
            estimator.fit(X, y)
    assert not list(tmp_path.iterdir())
