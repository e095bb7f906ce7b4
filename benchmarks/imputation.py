"""AutoencoderImputer beside scikit-learn's imputers.

Entries of tables are hidden by one of three mechanisms, every imputer is fitted on the training
samples and completes these and the test samples, and a classifier learns from the former. Every
imputer has its default parameters, and none is chosen by hidden entries or test labels. The
defaults of AutoencoderImputer were chosen on other tables: wine, diabetes, breast cancer, and
cardio and annthyroid of ADBench.

For each table, mechanism, rate, imputer and seed: root mean squared error of hidden numbers in
units of their standard deviations, on training and on test samples; fraction of hidden categories
that are wrong; accuracy of ``HistGradientBoostingClassifier`` on completed test samples; processor
time of ``fit`` and ``transform``. The last tables are mean ranks.

- ``mcar``: every entry is hidden with the same probability.
- ``mar``: a random third of the features is complete, and the probabilities that others are hidden
  depend on it.
- ``mnar``: large numbers are hidden more often than small ones, or the reverse, by feature; some
  categories more often than others.

At most ``--rows`` samples of a table, a third of which are test samples. scikit-learn's imputers
get standardized numbers and one-hot encoded categories, of which the largest value is taken; trees
get codes, which are rounded.
``iterative-trees`` is ``IterativeImputer(ExtraTreesRegressor())``, ``iterative`` the default.

    python benchmarks/imputation.py
    python benchmarks/imputation.py --data adult california --rates 30 --seeds 2

Data sets come from the folder in the environment variable SKDEEP_DATA, else from OpenML or UCI.
"""

import warnings

import numpy as np
import pandas as pd
from _data import adult, california_housing, digits, imbalanced, pendigits, pima, titanic
from _harness import Report, limited_threads, make_parser, parse, print_table, stopwatch
from scipy.special import expit
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.model_selection import train_test_split

from skdeep.impute import AutoencoderImputer

DATA = ["adult", "california", "credit", "digits", "mammography", "pendigits", "pima", "titanic"]
MECHANISMS = ["mcar", "mar", "mnar"]
METHODS = ["autoencoder", "mean", "knn", "iterative", "iterative-trees"]
RATES = 10, 30, 50
# How much the logit of the probability to be hidden changes with one standard deviation.
STEEPNESS = 2.0


# Tables ------------------------------------------------------------------------------------


def load(name, args):
    """A random subset of a table, as a DataFrame, and its labels."""
    smoke = args.smoke
    if name == "adult":
        parts = adult(smoke=smoke)
        X, y = parts.X_train.replace("?", np.nan), parts.y_train
    elif name == "california":
        X, y = california_housing(smoke=smoke)
        y = (y > np.median(y)).astype(int)
    elif name in ("credit", "mammography"):
        X, y = imbalanced(name, smoke=smoke)
    else:
        tables = {"pendigits": pendigits, "pima": pima, "titanic": titanic}
        X, y = digits() if name == "digits" else tables[name](smoke=smoke)
    table = pd.DataFrame(X).rename(columns=str)
    is_number = [pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes]
    for column, numeric in zip(table, is_number, strict=True):
        table[column] = table[column].astype(float if numeric else object)
    rows = np.random.default_rng(0).permutation(len(table))[: args.rows]
    table = table.iloc[rows].reset_index(drop=True)
    varies = [table[column].nunique() > 1 for column in table]
    return table.loc[:, varies], np.asarray(y)[rows]


def numbers_of(table):
    return [column for column in table if table[column].dtype != object]


def scores_of(table, rng):
    """Standardized columns; a random number for each category; zero for native gaps."""
    scores = {}
    for column in table:
        values = table[column]
        if values.dtype == object:
            known = sorted(values.dropna().unique())
            values = values.map(dict(zip(known, rng.normal(size=len(known)), strict=True)))
        scores[column] = (values - values.mean()) / (values.std() or 1.0)
    return pd.DataFrame(scores).fillna(0.0).to_numpy(float)


def hide(table, mechanism, rate, seed):
    """Mask of the entries to hide; native gaps are not among them."""
    rng = np.random.default_rng(seed)
    n_columns = table.shape[1]
    if mechanism == "mcar":
        probability = np.full(table.shape, rate)
    elif mechanism == "mnar":
        signs = rng.choice([-1, 1], size=n_columns)
        probability = _calibrated(signs * scores_of(table, rng), rate)
    else:
        order = rng.permutation(n_columns)
        complete, rest = np.split(order, [-(-n_columns // 3)])
        drive = scores_of(table, rng)[:, complete] @ rng.normal(size=(len(complete), len(rest)))
        probability = np.zeros(table.shape)
        probability[:, rest] = _calibrated(drive / drive.std(axis=0), rate)
    return (rng.random(table.shape) < probability) & table.notna().to_numpy()


def _calibrated(scores, rate):
    """Probabilities that grow with scores, of the given mean in each column."""
    low, high = np.full(scores.shape[1], -50.0), np.full(scores.shape[1], 50.0)
    for _ in range(60):
        middle = (low + high) / 2
        is_low = expit(STEEPNESS * scores + middle).mean(axis=0) < rate
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    return expit(STEEPNESS * scores + middle)


# Imputers ----------------------------------------------------------------------------------


class Encoded:
    """An imputer of scikit-learn for tables with categories: standardized and encoded."""

    def __init__(self, imputer, *, one_hot):
        self.imputer, self.one_hot = imputer, one_hot

    def fit(self, table):
        numbers = table[numbers_of(table)]
        self.mean, self.scale = numbers.mean(), numbers.std().replace(0.0, 1.0).fillna(1.0)
        names = [column for column in table if column not in numbers]
        self.known = {column: sorted(table[column].dropna().unique()) for column in names}
        self.imputer.fit(self._encode(table))
        return self

    def transform(self, table):
        found = self.imputer.transform(self._encode(table))
        n_numbers = len(self.mean)
        result = table.copy()
        numbers = found[:, :n_numbers] * self.scale.to_numpy() + self.mean.to_numpy()
        for place, column in enumerate(self.mean.index):
            result[column] = table[column].fillna(pd.Series(numbers[:, place], index=table.index))
        start = n_numbers
        for column, known in self.known.items():
            if self.one_hot:
                best = found[:, start : start + len(known)].argmax(axis=1)
            else:
                best = found[:, start].round().astype(int).clip(0, len(known) - 1)
            filled = pd.Series(np.array(known, dtype=object)[best], index=table.index)
            result[column] = table[column].where(table[column].notna(), filled)
            start += len(known) if self.one_hot else 1
        return result

    def _encode(self, table):
        parts = [((table[self.mean.index] - self.mean) / self.scale).to_numpy()]
        for column, known in self.known.items():
            values = table[column]
            hot = np.array([values == one for one in known], dtype=float).T
            codes = hot if self.one_hot else hot.argmax(axis=1, keepdims=True).astype(float)
            codes[values.isna()] = np.nan
            parts.append(codes)
        return np.hstack(parts)


def build(method, args, seed):
    """Make an unfitted imputer."""
    epochs = {"max_epochs": 2} if args.smoke else {}
    if method == "autoencoder":
        ours = AutoencoderImputer(device=args.device, random_state=seed, **epochs)
        return ours.set_output(transform="pandas")
    trees = ExtraTreesRegressor(n_estimators=2 if args.smoke else 100, random_state=seed)
    options = {"keep_empty_features": True}
    peers = {
        "mean": SimpleImputer(**options),
        "knn": KNNImputer(**options),
        "iterative": IterativeImputer(random_state=seed, **options),
        "iterative-trees": IterativeImputer(
            trees, random_state=seed, max_iter=1 if args.smoke else 10, **options
        ),
    }
    # trees learn a column of a one-hot encoding from the others that are imputed together with it
    return Encoded(peers[method], one_hot=method != "iterative-trees")


def evaluate(method, table, y, hidden, args, seed):
    """Errors, accuracy and seconds of an imputer."""
    gaps = table.mask(hidden)
    train, test = train_test_split(np.arange(len(table)), test_size=1 / 3, random_state=seed)
    figures = {}
    imputer = build(method, args, seed)
    with limited_threads(args.threads), stopwatch(figures, "impute"):
        imputer.fit(gaps.iloc[train])
        completed = pd.concat([imputer.transform(gaps.iloc[rows]) for rows in (train, test)])
    completed = completed.loc[np.arange(len(table))]
    figures["nrmse"] = nrmse(table, completed, hidden, train)
    figures["nrmse_new"] = nrmse(table, completed, hidden, test)
    figures["wrong"] = wrong_categories(table, completed, hidden)
    features = np.hstack(
        [completed[numbers_of(table)], one_hot(completed.drop(columns=numbers_of(table)))]
    )
    classifier = HistGradientBoostingClassifier(random_state=seed)
    classifier.fit(features[train], y[train])
    figures["accuracy"] = float(classifier.score(features[test], y[test]))
    return figures


def one_hot(table):
    return pd.get_dummies(table).to_numpy(float) if table.shape[1] else np.empty((len(table), 0))


def nrmse(table, completed, hidden, rows):
    """Root mean squared error of hidden numbers, in standard deviations of the whole column."""
    columns = numbers_of(table)
    places = [table.columns.get_loc(column) for column in columns]
    error = (completed[columns] - table[columns]) / table[columns].std()
    return float(np.sqrt(np.mean(error.to_numpy()[rows][hidden[rows][:, places]] ** 2)))


def wrong_categories(table, completed, hidden):
    """Fraction of hidden categories that are not found; None without any."""
    columns = [column for column in table if column not in numbers_of(table)]
    places = [table.columns.get_loc(column) for column in columns]
    hidden = hidden[:, places]
    if not hidden.any():
        return None
    return float((table[columns].to_numpy() != completed[columns].to_numpy())[hidden].mean())


# Summary -----------------------------------------------------------------------------------


def mean_ranks(records, figure, *, sign):
    """Mean rank of each method over data, mechanisms and rates; 1 is best."""
    cases = {}
    for one in records:
        key = one["data"], one["mechanism"], one["rate"]
        cases.setdefault(key, {}).setdefault(one["method"], []).append(sign * one[figure])
    ranks = {}
    for means in cases.values():
        means = {name: np.mean(values) for name, values in means.items()}
        for name, value in means.items():
            others = np.array([other for key, other in means.items() if key != name])
            rank = 1 + (others < value).sum() + (others == value).sum() / 2
            ranks.setdefault(name, []).append(rank)
    return {name: float(np.mean(values)) for name, values in ranks.items()}


def row(runs):
    """Table row: means over seeds."""

    def mean(name):
        values = [run[name] for run in runs if run[name] is not None]
        return float(np.mean(values)) if values else None

    first = runs[0]
    return {
        **{name: first[name] for name in ("data", "mechanism", "rate", "method")},
        "NRMSE": mean("nrmse"),
        "NRMSE new": mean("nrmse_new"),
        "wrong categories": mean("wrong"),
        "accuracy %": 100 * mean("accuracy"),
        "CPU s": mean("impute_cpu_s"),
    }


def main():
    options = {"data": DATA, "mechanisms": MECHANISMS, "methods": METHODS, "seeds": 3}
    parser = make_parser(__doc__, rows=2000, threads=1, device="cpu", **options)
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="percent hidden")
    smoke = {"data": ["pima", "titanic"], "seeds": 1, "rates": [30], "rows": 150}
    args = parse(parser, **smoke)
    report = Report("Imputation of missing values", args)
    warnings.simplefilter("ignore", ConvergenceWarning)  # of IterativeImputer
    rows = []
    for data in args.data:
        table, y = load(data, args)
        for mechanism in args.mechanisms:
            for rate in args.rates:
                for method in args.methods:
                    names = {"data": data, "mechanism": mechanism, "rate": rate, "method": method}
                    runs = []
                    for seed in range(args.seeds):
                        hidden = hide(table, mechanism, rate / 100, seed)
                        figures = evaluate(method, table, y, hidden, args, seed)
                        runs.append({**names, "seed": seed, **figures})
                    report.keep(runs)
                    rows.append(row(runs))
                    print(*rows[-1].values(), sep="  ", flush=True)
    print_table(rows)
    for title, figure, sign in (
        ("NRMSE", "nrmse", 1),
        ("NRMSE on new samples", "nrmse_new", 1),
        ("accuracy", "accuracy", -1),
    ):
        ranks = mean_ranks(report.rows, figure, sign=sign)
        print(f"\nmean rank by {title}: ", end="")
        print(", ".join(f"{name} {rank:.2f}" for name, rank in ranks.items()))


if __name__ == "__main__":
    main()
