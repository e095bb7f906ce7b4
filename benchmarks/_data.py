"""Data sets of the benchmarks; ``smoke`` uses small substitutes without files or network."""

import io
import os
import urllib.request
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import (
    fetch_california_housing,
    fetch_openml,
    load_digits,
    make_classification,
    make_regression,
)
from sklearn.model_selection import train_test_split

__all__ = [
    "ADBENCH",
    "ADULT_KINDS",
    "IMBALANCED",
    "UCI_REGRESSION",
    "Parts",
    "adbench",
    "adult",
    "adult_like",
    "california_housing",
    "digits",
    "enlarged_digits",
    "has_mnist",
    "imbalanced",
    "mnist",
    "numbers",
    "pendigits",
    "pima",
    "titanic",
    "uci_regression",
    "validation_split",
    "without_test",
]

UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult"
# Files of the data sets of ADBench.
ADBENCH = {
    "cardio": "6_cardio",
    "annthyroid": "2_annthyroid",
    "pendigits": "28_pendigits",
    "satellite": "30_satellite",
    "thyroid": "38_thyroid",
    "musk": "25_musk",
}
ADBENCH_URL = "https://raw.githubusercontent.com/Minqi824/ADBench/main/adbench/datasets/Classical"
# Number of categories of each column of Adult; 0 for numbers, -1 for numbers that are mostly zero.
ADULT_KINDS = {
    "age": 0,
    "workclass": 9,
    "fnlwgt": 0,
    "education": 16,
    "education-num": 0,
    "marital-status": 7,
    "occupation": 15,
    "relationship": 6,
    "race": 5,
    "sex": 2,
    "capital-gain": -1,
    "capital-loss": -1,
    "hours-per-week": 0,
    "native-country": 42,
    "income": 2,
}


class Imbalanced(NamedTuple):
    """File in ``SKDEEP_DATA``, name at OpenML, row of the names, and categorical columns."""

    file: str
    name: str
    header: int | None
    categories: list


IMBALANCED = {
    "mammography": Imbalanced("mammography.csv.gz", "mammography", None, []),
    "credit": Imbalanced(
        "default_credit_card_clients.csv.gz", "default-of-credit-card-clients", 0, [1, 2, 3]
    ),
}


# Names at OpenML.
UCI_REGRESSION = {
    "concrete": "concrete_compressive_strength",
    "energy": "energy_efficiency",
    "kin8nm": "kin8nm",
    "power": "combined_cycle_power_plant",
    "yacht": "yacht_hydrodynamics",
}


class Parts(NamedTuple):
    """Training and scored samples with their targets."""

    X_train: object
    y_train: np.ndarray
    X_score: object
    y_score: np.ndarray


def validation_split(X, y, seed, *, stratify=None):
    """Random split by the seed: a fifth of the samples to score, the others to train on."""
    options = {"test_size": 0.2, "random_state": 1000 + seed, "stratify": stratify}
    X_train, X_score, y_train, y_score = train_test_split(X, y, **options)
    return Parts(X_train, y_train, X_score, y_score)


def _local(name):
    """Path of a file in the folder ``SKDEEP_DATA``; None if it does not exist."""
    path = Path(os.environ.get("SKDEEP_DATA", "")) / name
    return path if "SKDEEP_DATA" in os.environ and path.exists() else None


# Images ------------------------------------------------------------------------------------


def digits():
    """scikit-learn's digits, shuffled once: float32 features in [0, 1], and labels."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    return (X[order] / 16).astype(np.float32), y[order]


def enlarged_digits(n_rows):
    """Bootstrapped digits enlarged to 28 x 28 pixels, with noise, as a substitute for MNIST."""
    X, y = digits()
    rng = np.random.default_rng(0)
    index = rng.integers(len(X), size=n_rows)
    large = np.zeros((n_rows, 28, 28), dtype=np.float32)
    large[:, 2:26, 2:26] = X[index].reshape(-1, 8, 8).repeat(3, axis=1).repeat(3, axis=2)
    large += rng.normal(scale=0.05, size=large.shape)
    return large.reshape(n_rows, 784).clip(0, 1), y[index]


def has_mnist():
    """Whether MNIST is available without a download."""
    return _local("mnist.npz") is not None


def mnist(n_train=60000, n_test=10000, *, smoke=False):
    """First samples of MNIST's training and test sets, float32 in [0, 1], with labels.

    Read from ``mnist.npz`` (``X_train, y_train, X_test, y_test``) in the folder ``SKDEEP_DATA``,
    else downloaded from OpenML.
    """
    if smoke:
        X, y = enlarged_digits(1200)
        parts = Parts(X[:1000], y[:1000], X[1000:], y[1000:])
    elif path := _local("mnist.npz"):
        with np.load(path) as file:
            parts = Parts(*(file[name] for name in ("X_train", "y_train", "X_test", "y_test")))
    else:
        X, y = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
        parts = Parts(X[:60000], y[:60000], X[60000:], y[60000:])
    return Parts(
        _unit_rows(parts.X_train[:n_train]),
        parts.y_train[:n_train].astype(int),
        _unit_rows(parts.X_score[:n_test]),
        parts.y_score[:n_test].astype(int),
    )


def pendigits(*, smoke=False):
    """Pen-based handwritten digits, training and test samples: 16 features, and labels."""
    if smoke:
        return load_digits(return_X_y=True)
    if path := _local("pendigits.npz"):
        with np.load(path) as file:
            X = np.concatenate([file["X_train"], file["X_test"]])
            y = np.concatenate([file["y_train"], file["y_test"]])
    else:
        X, y = fetch_openml("pendigits", version=1, as_frame=False, return_X_y=True)
    return X.astype(np.float64), y.astype(int)


def without_test(parts):
    """MNIST's last 10,000 training samples instead of the test samples, and those before them."""
    n_train = len(parts.X_train) * 5 // 6
    X, y = parts.X_train, parts.y_train
    return Parts(X[:n_train], y[:n_train], X[n_train:], y[n_train:])


def _unit_rows(images):
    if images.dtype == np.float32:
        return images
    return images.reshape(len(images), 784).astype(np.float32) / np.float32(255)


# Tables ------------------------------------------------------------------------------------


def numbers(n_rows, n_features, *, noise=0.1):
    """Dependent float32 features, and the three latent features that generate them."""
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((n_rows, 3))
    X = np.tanh(hidden @ rng.standard_normal((3, n_features)))
    return (X + noise * rng.standard_normal(X.shape)).astype(np.float32), hidden


def california_housing(*, smoke=False):
    """20640 districts with 8 features each, and their median house value in 100,000 dollars.

    Read from ``california_housing.npz`` (``X, y``) in the folder ``SKDEEP_DATA``, else downloaded
    by scikit-learn.
    """
    if smoke:
        return make_regression(600, 8, noise=1.0, random_state=0)
    if path := _local("california_housing.npz"):
        with np.load(path) as file:
            return file["X"], file["y"]
    return fetch_california_housing(return_X_y=True)


def uci_regression(name, *, smoke=False):
    """Features and target of a small data set of the UCI repository.

    Read from ``<name>.csv``, whose last column is the target, in the folder ``SKDEEP_DATA``, else
    downloaded from OpenML.
    """
    if smoke:
        return make_regression(200, 5, noise=10.0, random_state=0)
    if path := _local(f"{name}.csv"):
        table = np.loadtxt(path, delimiter=",")
        return table[:, :-1], table[:, -1]
    options = {"as_frame": False, "return_X_y": True, "n_retries": 1}
    X, y = fetch_openml(UCI_REGRESSION[name], **options)
    return X.astype(np.float64), y.reshape(len(X), -1)[:, 0].astype(np.float64)


def adult_like(n_rows):
    """Synthetic columns of the same kinds as Adult: codes, multimodal numbers, and the income."""
    rng = np.random.default_rng(0)
    columns = []
    for kind in ADULT_KINDS.values():
        column = rng.choice([-4, 0, 3], size=n_rows) + rng.standard_normal(n_rows)
        if kind > 0:
            column = np.floor(kind * rng.random(n_rows) ** 2)
        columns.append(np.where(rng.random(n_rows) < 0.9, 0, column) if kind < 0 else column)
    return np.column_stack(columns[:-1]), columns[-1].astype(int)


def adult(*, smoke=False):
    """Adult's official training and test sets, with label 1 for incomes above 50,000 dollars.

    Samples are DataFrames: strings as ``category``, with the same categories in both sets, one of
    which is ``?`` for missing values; numbers as float64. Read from ``adult.data.gz`` and
    ``adult.test.gz`` in the folder ``SKDEEP_DATA``, else from UCI, since OpenML's copy is a single
    table without the official split.
    """
    import pandas as pd  # not required by the other benchmarks

    names = list(ADULT_KINDS)
    if smoke:
        codes, y = adult_like(800)
        X, n_train = pd.DataFrame(codes, columns=names[:-1]), 600
        numeric = [name for name in X.columns if ADULT_KINDS[name] <= 0]
        X = X.astype({name: "int64" for name in X.columns if name not in numeric}).astype(
            {name: "str" for name in X.columns if name not in numeric}
        )
    else:
        options = {"names": names, "skipinitialspace": True}
        train = pd.read_csv(_local("adult.data.gz") or f"{UCI}/adult.data", **options)
        # the first line of the test file is not a sample
        test = pd.read_csv(_local("adult.test.gz") or f"{UCI}/adult.test", skiprows=1, **options)
        X, n_train = pd.concat([train, test], ignore_index=True), len(train)
        # labels in the test file end with a dot
        y = X.pop("income").str.startswith(">50K").to_numpy().astype(int)
        numeric = X.select_dtypes("number").columns
    X = X.astype({name: "float64" if name in numeric else "category" for name in X.columns})
    return Parts(X[:n_train], y[:n_train], X[n_train:].reset_index(drop=True), y[n_train:])


def imbalanced(data, *, smoke=False):
    """Features of the mammography or credit card data set, and labels with 1 for the rare class.

    Read from the folder ``SKDEEP_DATA``, else downloaded from OpenML.
    """
    import pandas as pd  # not required by the other benchmarks

    source = IMBALANCED[data]
    if smoke:
        X, y = make_classification(400, 8, weights=[0.8], random_state=0)
        X[:, source.categories] = X[:, source.categories].round()
        return X, y
    if path := _local(source.file):
        table = pd.read_csv(path, header=source.header)
        X, y = table.iloc[:, :-1], table.iloc[:, -1]
    else:
        X, y = fetch_openml(source.name, version=1, as_frame=True, return_X_y=True)
    y = y.astype(str).str.strip("'") == "1"
    # the ID is not a feature
    return X.drop(columns="ID", errors="ignore").to_numpy(np.float64), y.to_numpy().astype(int)


def pima(*, smoke=False):
    """768 patients with 8 features, and 1 for diabetes.

    Read from the folder ``SKDEEP_DATA``, else downloaded from OpenML.
    """
    if smoke:
        return make_classification(300, 8, random_state=0)
    if path := _local("pima-indians-diabetes.csv.gz"):
        table = np.loadtxt(path, delimiter=",")
        return table[:, :-1], table[:, -1].astype(int)
    X, y = fetch_openml("diabetes", version=1, as_frame=False, return_X_y=True)
    return X.astype(np.float64), (y == "tested_positive").astype(int)


def titanic(*, smoke=False):
    """1309 passengers: a DataFrame of numbers and categories with gaps, and 1 for survivors.

    Read from the folder ``SKDEEP_DATA``, else downloaded from OpenML.
    """
    import pandas as pd  # not required by the other benchmarks

    names = ["pclass", "sex", "age", "sibsp", "parch", "fare", "embarked"]
    if smoke:
        rng = np.random.default_rng(0)
        table = pd.DataFrame(rng.normal(size=(300, 7)), columns=names)
        y = (table["fare"] > 0).to_numpy().astype(int)
        return table.assign(sex=np.where(y, "female", "male"), embarked="S"), y
    if path := _local("titanic_openml_1309.csv.gz"):
        table = pd.read_csv(path, na_values="?")
        return table[names], table["survived"].to_numpy()
    table, y = fetch_openml("titanic", version=1, as_frame=True, return_X_y=True)
    return table[names], y.to_numpy().astype(int)


# Outliers ----------------------------------------------------------------------------------


def adbench(name, *, smoke=False):
    """Samples of a data set of ADBench, and labels: 1 for outliers, 0 for others.

    Read from the folder ``adbench`` in ``SKDEEP_DATA``, else downloaded.
    """
    if smoke:
        rng = np.random.default_rng(0)
        X = np.concatenate([rng.normal(size=(200, 5)), rng.uniform(-5, 5, size=(20, 5))])
        return X, np.repeat([0, 1], [200, 20])
    file = f"{ADBENCH[name]}.npz"
    source = _local(f"adbench/{file}")
    if source is None:
        with urllib.request.urlopen(f"{ADBENCH_URL}/{file}") as answer:
            source = io.BytesIO(answer.read())
    with np.load(source) as parts:
        return parts["X"].astype(np.float64), parts["y"].astype(int)
