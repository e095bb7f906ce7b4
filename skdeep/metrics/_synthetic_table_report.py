"""Quality of synthetic tables, compared with real ones."""

import itertools

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import ks_2samp
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils import Bunch, gen_batches, resample

from skdeep.metrics._tables import check_columns, encode_tables
from skdeep.utils._random import numpy_generator
from skdeep.utils._settings import own_settings

_MAX_ROWS = 100_000  # for associations, and as candidates for nearest neighbors
_MAX_RATED = 1_000  # whose nearest neighbors are searched
_BATCH = 100
_MAX_CATEGORIES = 255  # limit of scikit-learn's gradient boosting


@own_settings()
def synthetic_table_report(
    X,
    X_synthetic,
    *,
    X_test=None,
    target=None,
    estimator=None,
    categorical_features="from_dtype",
    random_state=None,
):
    """Evaluate a synthetic table against the real table that its generator was trained on.

    The report compares the distributions of single columns and the associations of pairs of
    columns, checks whether synthetic rows are copies of real rows, and evaluates a classifier that
    is trained on synthetic rows on real ones.

    In a dataframe, columns of strings, objects and booleans and those of a categorical dtype are
    categorical, and so is ``target``. Dates and time differences are converted to days, and all
    other columns are numerical. The dtypes of ``X`` apply to all tables. All columns may have
    missing values.

    Parameters
    ----------
    X : dataframe or ndarray of shape (n_samples, n_columns)
        Real rows that the generator was trained on: a pandas or polars dataframe, or an array of
        numbers.
    X_synthetic : dataframe or ndarray of shape (n_synthetic_samples, n_columns)
        Generated rows, with the same columns in the same order as ``X``.
    X_test : dataframe or ndarray of shape (n_test_samples, n_columns), default=None
        Real rows that the generator has not seen. Classifiers are tested on them, and they are the
        reference for privacy.
    target : str or int, default=None
        Name (index for arrays) of the column of classes that a classifier predicts. Requires
        ``X_test``. It is also evaluated like any other column.
    estimator : classifier with ``predict_proba``, default=None
        Classifier that predicts ``target``, cloned for each fit. It is passed the other columns as
        an ndarray of float64: numbers as they are, and categories as codes, starting at 0, in the
        sorted order of the categories of all tables. Missing values are NaN, or 0 in a column
        without any value. Classes are codes as well.
        None uses :class:`~sklearn.ensemble.HistGradientBoostingClassifier` without early stopping,
        with columns of up to 255 categories as categorical features.
    categorical_features : "from_dtype" or array-like of shape (n,) or None, default="from_dtype"
        Categorical columns in addition to those detected by their dtype: a boolean mask, indices
        or names. Arrays have no columns detected by dtype.
    random_state : int, RandomState instance or None, default=None
        Determines the rows that are drawn from large tables, and the default classifier. Pass an
        int for reproducible results across multiple function calls.

    Returns
    -------
    report : :class:`~sklearn.utils.Bunch`
        Dictionary of Bunches, with its keys as attributes.

        marginal
            ``columns``, a dict by name or index with the distance between the distributions of a
            column in ``X`` and in ``X_synthetic``, and their ``mean``, in [0, 1]; 0 is best. The
            distance is the Kolmogorov-Smirnov statistic for numbers, with missing values as one
            value below all others, and the total variation distance for categories, with missing
            values as one more category.
        pairwise
            ``real`` and ``synthetic``, ndarrays of shape (n_columns, n_columns) with the
            associations of the columns of ``X`` and of ``X_synthetic``, and ``mean``, their mean
            absolute difference over all pairs of columns, in [0, 2]; 0 is best. The association is
            Pearson's correlation for two numerical columns, bias-corrected Cramér's V [3]_ for two
            categorical columns, and the correlation ratio for one of each, over the rows in which
            neither is missing. It is 0 if a column is constant.
        privacy
            ``synthetic`` for the rows of ``X_synthetic`` and, if given, ``real`` for those of
            ``X_test``, each with ``distance``, the median distance to the nearest row of ``X``;
            ``ratio_5th`` and ``ratio_median``, the fifth percentile and the median of the ratio of
            the distances to the nearest and to the second nearest distinct row of ``X`` [2]_,
            which is 0 for copies; and ``copies``, the fraction of rows that equal a row of ``X``.
            With ``X_test``, also ``distance_ratio``, the synthetic ``distance`` divided by the
            real one: about 1 if synthetic rows are as new as those of ``X_test``, much lower for
            copies, and infinite if only the real one is 0.
        utility, only with ``target``
            ``synthetic`` for a classifier trained on ``X_synthetic`` and tested on ``X_test``
            [1]_, and ``real`` for one trained on ``X``, as an upper bound to compare with. Each has
            ``f1`` and ``roc_auc``: the F1 score and the area under the one-vs-rest ROC curve,
            averaged over the classes in ``X_test``. Classes without training rows have
            probability 0. Rows without a class are ignored.

    Raises
    ------
    ValueError
        If the columns of the tables differ in names, order or kind, if a table has no rows, if
        numbers are infinite, if ``target`` is not a column of classes or is given without
        ``X_test``, or if ``estimator`` is given without ``target`` or has no ``predict_proba``.

    Notes
    -----
    ``synthetic_table_report(X, X_test)`` shows the result of a perfect generator, best with as many
    rows in ``X_test`` as in ``X_synthetic``. Distances between rows are Euclidean, with numbers in
    standard deviations of ``X``. Each category in which two rows differ adds 1 to the squared
    distance, and so does each number that is missing in only one of them; for the rest, missing
    numbers are imputed by the mean. Distances reveal copies but do not guarantee privacy [4]_.

    Associations are computed on at most 100000 rows of each table, drawn at random. Distances are
    computed from at most 1000 rows of ``X_synthetic`` and of ``X_test`` to at most 100000 rows of
    ``X``. All other results, including ``copies``, use all rows.

    References
    ----------
    .. [1] Esteban, Hyland and Rätsch (2017), "Real-valued (Medical) Time Series Generation with
       Recurrent Conditional GANs", arXiv:1706.02633.
    .. [2] Zhao, Kunar, Birke and Chen (2021), "CTAB-GAN: Effective Table Data Synthesizing", ACML.
    .. [3] Bergsma (2013), "A Bias-Correction for Cramér's V and Tschuprow's T", Journal of the
       Korean Statistical Society 42.
    .. [4] Ganev and De Cristofaro (2023), "On the Inadequacy of Similarity-based Privacy Metrics",
       arXiv:2312.05114.

    Examples
    --------
    The training rows themselves have the right distributions and train a good classifier, but they
    are copies.

    >>> from sklearn.datasets import load_iris
    >>> from skdeep.metrics import synthetic_table_report
    >>> X = load_iris(as_frame=True).frame
    >>> X, X_test = X[::2], X[1::2]
    >>> report = synthetic_table_report(X, X, X_test=X_test, target="target", random_state=0)
    >>> report.marginal.mean, report.pairwise.mean
    (0.0, 0.0)
    >>> report.privacy.synthetic.copies, report.privacy.distance_ratio
    (1.0, 0.0)
    >>> report.utility.synthetic.f1 > 0.9, report.utility.synthetic == report.utility.real
    (True, True)
    """
    tables = {"X": X, "X_synthetic": X_synthetic} | ({} if X_test is None else {"X_test": X_test})
    names = check_columns(tables)
    target = _check_target(target, names, X_test, estimator)
    tables, is_categorical, _ = encode_tables(tables, target, categorical_features)
    seed = int(numpy_generator(random_state).integers(2**31))
    # one seed for all, so that equal tables remain equal
    samples = {name: _draw(table, _MAX_ROWS, seed) for name, table in tables.items()}
    report = Bunch(
        marginal=_rate_marginals(tables["X"], tables["X_synthetic"], is_categorical, names),
        pairwise=_rate_pairs(samples["X"], samples["X_synthetic"], is_categorical),
        privacy=_rate_privacy(tables, samples, is_categorical, seed),
    )
    if target is not None:
        if estimator is None:
            n_categories = np.max([table.max(axis=0) for table in tables.values()], axis=0)
            few = is_categorical & (n_categories <= _MAX_CATEGORIES)
            estimator = HistGradientBoostingClassifier(
                categorical_features=np.delete(few, target), early_stopping=False, random_state=seed
            )
        report.utility = _rate_utility(tables, is_categorical, target, estimator)
    return report


def _check_target(target, names, X_test, estimator):
    """Position of the target among the columns, None without one."""
    if target is None and estimator is not None:
        raise ValueError(
            f"estimator needs a target to predict; got {estimator} and target=None. Name a column."
        )
    if target is None:
        return None
    if target not in names:
        raise ValueError(f"target must be one of the columns {names}; got {target!r}.")
    if X_test is None:
        raise ValueError(
            "target needs X_test, real rows that the generator has not seen, to test classifiers "
            f"on; got {target=} and X_test=None."
        )
    if estimator is not None and not hasattr(estimator, "predict_proba"):
        raise ValueError(f"estimator must be a classifier with predict_proba; got {estimator}.")
    return names.index(target)


def _rate_marginals(real, synthetic, is_categorical, names):
    """Distance between the distributions in two tables, for each column."""
    distances = list(map(_distance, real.T, synthetic.T, is_categorical))
    return Bunch(columns=dict(zip(names, distances, strict=True)), mean=float(np.mean(distances)))


def _distance(a, b, is_categorical):
    if not is_categorical:
        a, b = (np.where(np.isnan(values), -np.inf, values) for values in (a, b))
        return float(ks_2samp(a, b, method="asymp").statistic)
    n = 1 + int(max(a.max(), b.max()))
    p, q = (np.bincount(codes.astype(int), minlength=n) / len(codes) for codes in (a, b))
    return float(np.abs(p - q).sum() / 2)


def _rate_pairs(real, synthetic, is_categorical):
    """Associations of all pairs of columns in two tables."""
    real, synthetic = (_associations(table, is_categorical) for table in (real, synthetic))
    mean = np.abs(real - synthetic).sum() / max(real.size - len(real), 1)
    return Bunch(real=real, synthetic=synthetic, mean=float(mean))


def _associations(table, is_categorical):
    """Symmetric matrix of the associations between columns, (n_columns, n_columns)."""
    measures = (lambda a, b: np.corrcoef(a, b)[0, 1]), _correlation_ratio, _cramers_v
    matrix = np.eye(table.shape[1])
    categories_first = np.argsort(~is_categorical, kind="stable")
    for i, j in itertools.combinations(categories_first, 2):
        measure = measures[np.count_nonzero(is_categorical[[i, j]])]
        pair = table[:, [i, j]]
        a, b = pair[~np.isnan(pair).any(axis=1)].T
        is_constant = not len(a) or a.min() == a.max() or b.min() == b.max()
        matrix[i, j] = matrix[j, i] = 0.0 if is_constant else measure(a, b)
    return matrix


def _correlation_ratio(codes, x):
    """Return the standard deviation of the categories' means divided by that of all numbers."""
    x = x - x.mean()
    codes = np.unique(codes, return_inverse=True)[1]
    between = (np.bincount(codes, weights=x) ** 2 / np.bincount(codes)).sum()
    return np.sqrt(min(between / (x**2).sum(), 1))


def _cramers_v(a, b):
    """Cramér's V of two columns of codes, corrected for bias."""
    # NOTE[DIFF]: [2] uses Theil's uncertainty coefficient, which is not symmetric.
    table = contingency_matrix(a, b, sparse=True).tocoo()
    rows, columns = (np.asarray(table.sum(axis=axis)).ravel() for axis in (1, 0))
    # chi squared over n, from the non-empty cells only, as most cells may be empty
    phi2 = (table.data**2 / (rows[table.row] * columns[table.col])).sum() - 1
    spare = np.array(table.shape) - 1
    phi2 = max(phi2 - spare.prod() / (len(a) - 1), 0)
    largest = (spare - spare**2 / (len(a) - 1)).min()
    return min(np.sqrt(phi2 / largest), 1.0) if largest > 1e-9 else 0.0


def _draw(table, n_rows, seed):
    return resample(table, replace=False, n_samples=min(len(table), n_rows), random_state=seed)


def _rate_privacy(tables, samples, is_categorical, seed):
    """Distances from the rows of other tables to the training rows."""
    numbers = np.ma.masked_invalid(samples["X"][:, ~is_categorical])
    mean, scale = numbers.mean(axis=0).filled(0), numbers.std(axis=0).filled(1)
    scale[(numbers.min(axis=0) == numbers.max(axis=0)).filled(True)] = 1
    has_gaps = np.any([np.isnan(table).any(axis=0) for table in samples.values()], axis=0)

    def place(table):
        numbers = np.nan_to_num((table[:, ~is_categorical] - mean) / scale)
        return np.hstack([numbers, np.isnan(table[:, has_gaps]), table[:, is_categorical]])

    records, report = np.unique(place(samples["X"]), axis=0), Bunch()
    for key, name in {"synthetic": "X_synthetic", "real": "X_test"}.items():
        if name in tables:
            rows = place(_draw(samples[name], _MAX_RATED, seed))
            nearest, second = _nearest_two(rows, records, len(mean)).T
            report[key] = Bunch(
                distance=float(np.median(nearest)),
                ratio_5th=float(np.quantile(nearest / second, 0.05)),
                ratio_median=float(np.median(nearest / second)),
                copies=_share_of_copies(tables[name], tables["X"]),
            )
    if "real" in report:
        distance, reference = report.synthetic.distance, report.real.distance
        at_zero = np.inf if distance else 1.0
        report.distance_ratio = distance / reference if reference else at_zero
    return report


def _nearest_two(rows, records, n_numbers):
    """Distances to the nearest two records, infinite if there are fewer; (n_rows, 2)."""
    distances = np.empty((len(rows), 2))
    codes = np.ascontiguousarray(records[:, n_numbers:].T)
    for batch in gen_batches(len(rows), _BATCH):
        squared = cdist(rows[batch, :n_numbers], records[:, :n_numbers], "sqeuclidean")
        for own, known in zip(rows[batch, n_numbers:].T, codes, strict=True):
            squared += own[:, np.newaxis] != known
        for rank in range(2):
            nearest = squared.argmin(axis=1)[:, np.newaxis]
            distances[batch, rank] = np.sqrt(np.take_along_axis(squared, nearest, axis=1)[:, 0])
            np.put_along_axis(squared, nearest, np.inf, axis=1)
    return distances


def _share_of_copies(rows, records):
    rows, records = (np.where(np.isnan(table), np.nan, table + 0.0) for table in (rows, records))
    known = {record.tobytes() for record in records}  # bytes, so that NaN equals NaN
    return float(np.mean([row.tobytes() in known for row in rows]))


def _rate_utility(tables, is_categorical, target, estimator):
    """Scores on real rows of classifiers trained on synthetic and on real rows."""
    split = {}
    for name, table in tables.items():
        table = np.where(is_categorical, np.where(table == 0, np.nan, table - 1), table)
        table = table[~np.isnan(table[:, target])]
        split[name] = np.delete(table, target, axis=1), table[:, target].astype(int)
        n_classes, least = len(np.unique(split[name][1])), 2 if name == "X_test" else 1
        if n_classes < least:
            raise ValueError(f"{name} must have at least {least} classes; got {n_classes=}.")
    return Bunch(
        synthetic=_score(estimator, *split["X_synthetic"], *split["X_test"]),
        real=_score(estimator, *split["X"], *split["X_test"]),
    )


def _score(estimator, X, y, X_test, y_test):
    # not every classifier can be trained on a single class or on columns without any value
    model = clone(estimator) if len(np.unique(y)) > 1 else DummyClassifier()
    model.fit(np.where(np.isnan(X).all(axis=0), 0, X), y)
    probabilities = np.zeros((len(y_test), 1 + max(y.max(), y_test.max())))
    probabilities[:, model.classes_] = model.predict_proba(X_test)
    classes = np.unique(y_test)
    areas = [roc_auc_score(y_test == label, probabilities[:, label]) for label in classes]
    f1 = f1_score(y_test, model.predict(X_test), labels=classes, average="macro")
    return Bunch(f1=float(f1), roc_auc=float(np.mean(areas)))
