"""Conversion of models by skl2onnx, and errors about parts that cannot be converted."""

import numpy as np
from skl2onnx import convert_sklearn
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from sklearn.base import BaseEstimator, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

from skdeep.base import DeepEstimator
from skdeep.generative import TabularGANSampler
from skdeep.impute import AutoencoderImputer
from skdeep.persistence._onnx_export import rename
from skdeep.persistence._onnx_inputs import initial_types
from skdeep.persistence._onnx_registry import AS_TRANSFORMER, OUTPUTS

# Parameters that contain estimators, which ``fit`` does not clone.
_FITTED_IN_PLACE = {"steps", "transformer_list"}


def convert(model, X, options, opset):
    """Convert a fitted model; arguments as for ``to_onnx``."""
    if isinstance(model, TabularGANSampler):
        raise TypeError(
            "TabularGANSampler cannot be exported to ONNX as a function of samples, as it has no "
            "method that returns something for each of them. Set X_sample=None to export its "
            "generator."
        )
    is_known = hasattr(X, "columns") or isinstance(getattr(X, "dtype", None), np.dtype)
    X = X if is_known else np.asarray(X)
    if len(X.shape) < 2:
        raise ValueError(
            f"X_sample must have samples as rows, such as X[:1]; got an array of shape {X.shape}."
        )
    if not X.shape[0]:
        raise ValueError("X_sample must have at least one sample; got none.")
    _check_parts_of_unions(model)
    types = initial_types(model, X)
    try:
        converted = convert_sklearn(
            model,
            name=type(model).__name__,
            initial_types=types,
            options=_all_options(model, options),
            target_opset=opset,
        )
    except (MissingShapeCalculator, MissingConverter) as error:
        names = sorted({type(one).__name__ for one in _parts(model)} & _words(error))
        raise TypeError(
            f"{', '.join(names) or type(model).__name__} cannot be exported to ONNX: sklearn-onnx "
            "has no converter for it. Leave the step out of the graph, or register a converter by "
            "skl2onnx.update_registered_converter."
        ) from error
    except (AssertionError, NameError, NotImplementedError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{type(model).__name__} cannot be exported to ONNX: {reason}") from error
    _restore_names(converted, [name for name, _ in types])
    return converted


def check_searches(model):
    """Raise ``NotFittedError`` for searches that have not fitted a best estimator."""
    for part in _parts(model):
        if hasattr(part, "cv_results_") and not hasattr(part, "best_estimator_"):
            raise NotFittedError(
                f"{type(part).__name__} has no best_estimator_ to export; got "
                f"refit={part.refit!r}. Set refit=True, or fit the best candidate."
            )


def _check_parts_of_unions(model):
    """Raise ``ValueError`` for imputers with several outputs, of which skl2onnx uses the first."""
    unions = [one for one in _parts(model) if isinstance(one, FeatureUnion | ColumnTransformer)]
    for part, _ in (child for one in unions for child in _children(one, True)):
        last = _last(part)
        if isinstance(last, AutoencoderImputer) and len(last.get_feature_names_out()) > 1:
            if any(isinstance(key, str) for known in last._categories or [] for key in known):
                raise ValueError(
                    f"{type(last).__name__} cannot be exported to ONNX as a part of a "
                    "ColumnTransformer or FeatureUnion if it imputes strings. Impute before it, or "
                    "encode the strings in the same part."
                )


def _restore_names(model, names):
    """Give inputs the names of columns, in which skl2onnx replaces some characters."""
    old = [one.name for one in model.graph.input]
    used = {name for node in model.graph.node for name in (*node.input, *node.output)}
    used -= set(old)
    new = {was: name for was, name in zip(old, names, strict=True) if name not in used}
    rename(model, lambda name: new.get(name, name))


def _words(error):
    return set(str(error).replace("'", " ").replace(".", " ").replace(">", " ").split())


def _check_options(model, options):
    """Raise an error for options that apply to no part of a model."""
    if not isinstance(options, dict):
        raise TypeError(f"options must be a dict; got {options!r}.")
    parts = {id(one): type(one) for one in _fitted_parts(model)}
    for key, value in options.items():
        if isinstance(key, str):  # applies to the last step, whose converter checks it
            continue
        if key not in {*parts, *parts.values()}:
            names = sorted({kind.__name__ for kind in parts.values()})
            raise ValueError(
                f"options must be those of a part of the model, by its class or id; got {key!r}. "
                f"Parts are {', '.join(names)}; a meta-estimator has fitted clones of the "
                "estimators that it was given."
            )
        if not isinstance(value, dict):
            raise TypeError(f"options of a part must be a dict; got {value!r} for {key!r}.")


def _fitted_parts(thing):
    """Yield all estimators in a fitted model, or in a container of models."""
    if isinstance(thing, dict):
        thing = list(thing.values())
    elif isinstance(thing, np.ndarray) and thing.dtype.hasobject:
        thing = thing.ravel().tolist()
    if isinstance(thing, list | tuple):
        for part in thing:
            yield from _fitted_parts(part)
    elif isinstance(thing, BaseEstimator):
        yield thing
        if isinstance(thing, DeepEstimator) or type(thing) in OUTPUTS:
            return  # a graph of its own, in which parts have no options
        is_given = isinstance(thing, FrozenEstimator)
        params = set() if is_given else {*thing.get_params(deep=False)} - _FITTED_IN_PLACE
        others = {name: value for name, value in vars(thing).items() if name not in params}
        yield from _fitted_parts(others)
    elif type(thing).__module__.startswith("sklearn."):  # such as the folds of a calibration
        yield from _fitted_parts(getattr(thing, "__dict__", {}))


def _all_options(model, options):
    """Return options by ``id`` and class, with the defaults."""
    _check_options(model, options)
    named = {name: value for name, value in options.items() if isinstance(name, str)}
    merged = {key: dict(value) for key, value in options.items() if not isinstance(key, str)}
    for step in _transformers(model, is_transformer=False):
        merged.setdefault(id(step), {}).setdefault(AS_TRANSFORMER, True)
    last = _last(model)
    if is_classifier(last):
        named = {"zipmap": merged.get(type(last), {}).get("zipmap", False), **named}
    if named:
        merged[id(last)] = {**named, **merged.get(id(last), {})}
    return merged


def _last(model):
    """Return the last step of a pipeline, also of nested ones and of searches."""
    while True:
        if isinstance(model, Pipeline):
            model = model.steps[-1][1]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return model


def _children(model, is_transformer):
    """Return the fitted parts of a model, and whether it calls ``transform`` of each."""
    if isinstance(model, Pipeline):
        *steps, last = [step for _, step in model.steps]
        return [*((step, True) for step in steps), (last, is_transformer)]
    if isinstance(model, FeatureUnion):
        return [(part, True) for _, part in model.transformer_list]
    if isinstance(model, ColumnTransformer):
        return [(part, True) for _, part, _ in model.transformers_]
    parts = [getattr(model, name, None) for name in ("best_estimator_", "final_estimator_")]
    others = getattr(model, "estimators_", [])
    others = others.values() if isinstance(others, dict) else others
    return [(part, False) for part in (*parts, *others) if hasattr(part, "get_params")]


def _transformers(model, *, is_transformer):
    """Yield the estimators of skdeep in a model that it uses as transformers."""
    if is_transformer and type(model) in {*OUTPUTS, AutoencoderImputer}:
        yield model
    for part, is_used in _children(model, is_transformer):
        yield from _transformers(part, is_transformer=is_used)


def _parts(model):
    """Yield a model and all its parts."""
    yield model
    for part, _ in _children(model, False):
        yield from _parts(part)
