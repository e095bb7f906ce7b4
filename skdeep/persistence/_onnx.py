"""Fitted models as ONNX graphs."""

import importlib
from pathlib import Path

from sklearn.utils.validation import check_is_fitted

from skdeep.utils._files import check_can_be_written, write_atomically
from skdeep.utils._settings import own_settings
from skdeep.utils._validation import in_memory

__all__ = ["register_converters", "to_onnx"]


@own_settings()
def to_onnx(estimator, X_sample=None, path=None, *, options=None, target_opset=18):
    """Export a fitted estimator or pipeline as one ONNX graph.

    The graph contains everything from the samples to the predictions: scaling, categories, missing
    values, nets, and the other steps of a pipeline, which sklearn-onnx converts [1]_. It takes any
    number of samples, needs neither torch nor scikit-learn, and does not validate its input.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator of skdeep, or scikit-learn estimator that contains some, such as a
        ``Pipeline``, ``ColumnTransformer`` or ``StackingClassifier``. A fitted search is exported
        as its ``best_estimator_``.
    X_sample : {array-like, sparse matrix, dataframe} of shape (n_samples, ...), default=None
        At least one sample as the model will read it: dtypes and number of features determine the
        inputs of the graph. Numbers of one dtype are one input ``"X"``. A dataframe with strings,
        or for a ``ColumnTransformer``, has an input of shape (n_samples, 1) for each column, with
        its name; a number is appended to that of an output. None exports the generator of a GAN,
        which has the inputs ``"noise"``, standard normal draws of shape (n_samples, latent_dim),
        and ``"label"`` if there were classes. See Notes for further inputs of
        :class:`~skdeep.generative.TabularGANSampler`.
    path : str or path-like, default=None
        File to write, in full or not at all. None writes no file.
    options : dict, default=None
        Options of sklearn-onnx by ``id(estimator)`` or class of the part that they apply to.
        Options by name apply to ``estimator``, or to the last step of a pipeline. Those of skdeep
        add an output: ``"transform"`` (``variable``), ``"reconstruct"`` (``reconstruction``),
        ``"embed"`` (``embedding``), ``"return_std"`` (``std``), ``"quantiles"`` (those of the
        parameter ``quantile``) and ``"score_samples"``, if the estimator has a method or parameter
        of that name. For classifiers ``{"zipmap": False}`` is the default, by which probabilities
        are a matrix.
    target_opset : int or dict, default=18
        Version of ONNX's operators, at least 18; sklearn-onnx has the default for other domains.

    Returns
    -------
    model : onnx.ModelProto
        Its outputs are ``label`` and ``probabilities`` for classifiers and clusterers that have
        them, ``variable`` for regressors and transformers, ``label`` and ``scores``, those of
        ``decision_function``, for outlier detectors, ``score_samples`` for the critic of
        :class:`~skdeep.generative.GANSampler`, and ``rows`` for its generator. An imputer of
        strings has an output for each column instead, such as ``imputed_color``, in the order of
        ``get_feature_names_out``. Numbers are float64 if an input is float64, else float32.

    Raises
    ------
    ImportError
        If skl2onnx, or onnxscript for torch's exporter, is not installed.
    ValueError, TypeError
        If a part cannot be exported, which the message names, or if an option applies to no part.
    NotFittedError
        If an estimator is not fitted, or is a search with ``refit=False``.
    OSError
        If ``path`` cannot be written; found before the conversion.

    Notes
    -----
    Labels are those of ``predict``. Numbers differ by rounding errors of 32-bit floats. An unknown
    or missing string has the same effect as a missing category; pass ``""`` for it.
    :class:`~skdeep.impute.AutoencoderImputer` keeps unknown strings and replaces ``""``; its export
    requires torch 2.8 or later.

    The generator of :class:`~skdeep.generative.TabularGANSampler` also has the input ``"gumbel"``,
    draws from the standard Gumbel distribution, whose number for each sample the graph tells. If
    there are categories, but no classes, ``"uniform"`` are draws between 0 and 1 of shape
    (n_samples,), by which conditions are drawn. There is an output for each column, such as
    ``generated_color``, and ``generated_label`` for classes. Unlike ``sample``, the graph does not
    draw samples again whose class is not ``label``: leave them out. Dates are integers in the
    unit of their dtype since 1970, the smallest one for a missing date; ``""`` is a missing string.

    Importing ``skdeep.persistence`` registers the converters with skl2onnx if it is installed, so
    that ``skl2onnx.to_onnx`` knows them, too. There, set the option ``"as_transformer"`` for
    clusterers and classifiers of skdeep that a pipeline uses by ``transform``.

    References
    ----------
    .. [1] https://onnx.ai/sklearn-onnx/

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdeep.neural_network import ResNetClassifier
    >>> from skdeep.persistence import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> net = ResNetClassifier(1, width=16, max_epochs=5, random_state=0)
    >>> model = to_onnx(make_pipeline(StandardScaler(), net).fit(X, y), X[:1])
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    """
    if not register_converters():
        raise ImportError("to_onnx requires skl2onnx: pip install skdeep[onnx].")
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    check_is_fitted(estimator)
    conversion = importlib.import_module("skdeep.persistence._onnx_convert")
    conversion.check_searches(estimator)
    if path is not None:
        check_can_be_written(Path(path))
    if X_sample is None:
        if options:
            raise ValueError(f"options must be None without X_sample; got {options!r}.")
        module = importlib.import_module("skdeep.persistence._onnx_samplers")
        model = module.convert_generator(estimator, target_opset)
    else:
        model = conversion.convert(estimator, in_memory(X_sample), options or {}, target_opset)
    if path is not None:
        write_atomically(Path(path), model.SerializeToString())
    return model


def register_converters():
    """Register the converters of all estimators with skl2onnx; return whether it is installed."""
    try:
        importlib.import_module("skl2onnx")
    except ModuleNotFoundError as error:
        if error.name != "skl2onnx":
            raise
        return False
    for name in ("_onnx_registry", "_onnx_clusterwise", "_onnx_imputer"):
        importlib.import_module(f"skdeep.persistence.{name}").register()
    return True
