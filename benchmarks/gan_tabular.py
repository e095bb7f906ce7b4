"""Synthetic tables: what gradient boosting learns from them about Adult's real test rows.

A generator is fitted to the 32561 rows of Adult's official training part, income and the 14 other
columns as one table, and draws as many rows. scikit-learn's histogram gradient boosting (defaults,
native categories; a tenth of the rows it is given decides when it stops) learns income from the
drawn rows and is scored on the 16281 real rows of the official test part: macro F1 at a threshold
of .5, F1 of the incomes above 50 000 dollars, and area under the ROC curve. The missing ``?`` is a
category like any other. Adult's numbers are whole, so the drawn ones are rounded, for every
generator: ctgan would do so by itself, given columns of integers.

- real: the training part itself, a ceiling.
- independent: every column shuffled by itself, income included, a floor: the margins are right and
  nothing else is.
- copula: ranks as a normal vector with the correlations of the training part; the values drawn are
  the observed ones, with categories in the order of their frequency. What any net should surpass.
- smote-nc: imbalanced-learn's SMOTENC as in TabDDPM [1]: numbers scaled to [0, 1], five
  neighbours, as many new rows of each class as there are, and only those are kept. No training;
  drawing compares all rows of a class, exactly: bounded, at Adult's size, without a subsample.
- ctgan, tvae: the package ctgan with its defaults, on the CPU [2].
- skdeep: TabularGANSampler with its defaults, or with the parameters of ``--set``.

Settings are chosen with ``--validation``, which does not use the test rows: a fifth of the training
part, another one for each seed, is scored, and the generators are fitted to the rest.

    pip install ctgan imbalanced-learn pandas    # the peers; what is missing is named at the end
    python benchmarks/gan_tabular.py --json gan.json
    python benchmarks/gan_tabular.py --models skdeep --validation --set max_epochs=50

Published figures stand below the table for orientation; their protocol is another one: CatBoost
tuned on real rows and stopped by real validation rows, generators tuned for its score over many
trials on a GPU, 26048 rows to fit them to, and in part more synthetic rows than real ones. Here
the classifier and all generators have defaults.

Seconds are the processor's, of all threads together: other work on the machine hardly counts.
What the file holds already is not measured again, unless skdeep's parameters have changed; the
table is made of all records of the file. Data come from the folder in the environment variable
SKDEEP_DATA, else from their source.

References
----------
.. [1] Kotelnikov et al. (2023), "TabDDPM: Modelling Tabular Data with Diffusion Models", ICML.
.. [2] Xu et al. (2019), "Modeling Tabular Data using Conditional GAN", NeurIPS.
"""

import functools
import importlib
import warnings

import joblib
import numpy as np
import pandas as pd
from _data import adult, validation_split
from _harness import median_ratio, print_table, stopwatch
from _records import (
    collect,
    describe,
    grouped,
    parameter_values,
    parse_study,
    print_missing,
    study_parser,
    summary,
)
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import f1_score, roc_auc_score

LABEL, CLASSES = "income", ["<=50K", ">50K"]
METRICS = {"macro_f1": "macro F1", "positive_f1": "F1 >50K", "roc_auc": "ROC-AUC"}
REFERENCE = "ctgan"  # its seconds are 1 in the table
# Kotelnikov et al. (2023): macro F1 of CatBoost on Adult's test rows.
PUBLISHED = {"real": 0.815, "SMOTE": 0.791, "CTAB-GAN": 0.783, "TVAE": 0.781}


# Data --------------------------------------------------------------------------------------


def with_label(X, y):
    """One table, with the label as a last column of categories."""
    return X.assign(**{LABEL: pd.Categorical.from_codes(y, CLASSES)}).reset_index(drop=True)


@functools.cache
def tables(seed, *, validation, smoke):
    """Table to fit a generator to, and a real table to score.

    With ``validation``, the latter is taken from the former and the test samples are left out.
    """
    found = adult(smoke=smoke)
    if validation:
        found = validation_split(found.X_train, found.y_train, seed)
    return with_label(found.X_train, found.y_train), with_label(found.X_score, found.y_score)


def numbers(table):
    return list(table.select_dtypes("number").columns)


def categories(table):
    return list(table.select_dtypes("category").columns)


# Generators: each is fitted to a table and returns a function that draws so many samples ---------


def real(table, seed):
    return lambda n_rows: table.head(n_rows)


def independent(table, seed):
    rng = np.random.default_rng(seed)

    def sample(n_rows):
        columns = {name: table[name].array[rng.permutation(n_rows)] for name in table}
        return pd.DataFrame(columns)

    return sample


class Copula:
    """Gaussian copula of ordered values: numbers by size, categories by frequency.

    Each value owns the interval of (0, 1] that its cumulative frequency spans; a sample lies
    somewhere in it, at random. So numbers and categories are treated alike, and the margins are
    the empirical ones.
    """

    def __init__(self, table, seed):
        self.rng = np.random.default_rng(seed)
        self.values, self.upper = {}, {}
        latent = np.column_stack([self._fit_column(table[name]) for name in table])
        self.correlation = np.corrcoef(latent, rowvar=False)
        self.dtypes = table.dtypes

    def _fit_column(self, column):
        frequency = column.value_counts(normalize=True)
        if column.dtype != "category":
            frequency = frequency.sort_index()
        self.values[column.name] = frequency.index
        self.upper[column.name] = upper = frequency.cumsum().to_numpy()
        position = frequency.index.get_indexer(column)
        u = upper[position] - self.rng.random(len(column)) * frequency.to_numpy()[position]
        return norm.ppf(u.clip(1e-9, 1 - 1e-9))

    def __call__(self, n_rows):
        mean = np.zeros(len(self.correlation))
        latent = self.rng.multivariate_normal(mean, self.correlation, n_rows)
        columns = {}
        for name, u in zip(self.values, norm.cdf(latent).T, strict=True):
            position = np.searchsorted(self.upper[name], u)
            columns[name] = self.values[name][position.clip(max=len(self.values[name]) - 1)]
        return pd.DataFrame(columns).astype(self.dtypes)


def smote_nc(table, seed):
    def sample(n_rows):
        X, y = table.drop(columns=LABEL), table[LABEL].astype(str)
        low, high = X[numbers(X)].min(), X[numbers(X)].max()
        X = X.assign(**(X[numbers(X)] - low) / (high - low))
        twice = (2 * y.value_counts()).to_dict()
        sampler = packaged("smote-nc")("auto", sampling_strategy=twice, random_state=seed)
        X_both, y_both = sampler.fit_resample(X, y)
        new = X_both.assign(**{LABEL: y_both}).tail(n_rows)
        new = new.assign(**new[numbers(new)] * (high - low) + low)
        return new.astype(table.dtypes)

    return sample


def ctgan_or_tvae(name, table, seed):
    model = packaged(name)(enable_gpu=False)
    model.set_random_state(seed)
    with (
        joblib.parallel_config("sequential"),  # seconds of other processes would not count
        warnings.catch_warnings(action="ignore"),
    ):
        model.fit(table, categories(table))
    return model.sample


def skdeep_gan(table, seed, **parameters):
    model = skdeep_estimator(seed, parameters).fit(table)
    return functools.partial(model.sample, random_state=seed)


def skdeep_estimator(seed, parameters):
    return packaged("skdeep")(**{"device": "cpu", **parameters}, random_state=seed)


GENERATORS = {
    "real": real,
    "independent": independent,
    "copula": Copula,
    "smote-nc": smote_nc,
    "ctgan": functools.partial(ctgan_or_tvae, "ctgan"),
    "tvae": functools.partial(ctgan_or_tvae, "tvae"),
    "skdeep": skdeep_gan,
}
PACKAGED = {
    "smote-nc": "imblearn.over_sampling.SMOTENC",
    "ctgan": "ctgan.CTGAN",
    "tvae": "ctgan.TVAE",
    "skdeep": "skdeep.generative.TabularGANSampler",
}
MODELS = list(GENERATORS)


def packaged(model):
    """Class of a generator; ImportError if it is not installed."""
    module, _, name = PACKAGED[model].rpartition(".")
    return getattr(importlib.import_module(module), name)


# Scores ------------------------------------------------------------------------------------


def measure(wanted, args):
    """Figures: a generator is fitted, draws once, and the classifier learns from that."""
    model, seed, settings = wanted["model"], wanted["seed"], parameter_values(wanted["settings"])
    if model in PACKAGED:
        packaged(model)  # imported before the clock starts
    train, test = tables(seed, validation=args.validation, smoke=args.smoke)
    figures = {"rows": [len(train), len(test)]}
    with stopwatch(figures, "fit"):
        sample = GENERATORS[model](train, seed, **settings)
    with stopwatch(figures, "sample"):
        synthetic = sample(len(train))
    figures["positive_fraction"] = float((synthetic[LABEL] == CLASSES[1]).mean())
    return figures | utility(finished(synthetic, train), test, seed)


def finished(synthetic, train):
    """The drawn table, rounded; ValueError if it does not have the form of the training table."""
    if len(synthetic) != len(train):
        raise ValueError(f"expected {len(train)} drawn samples; got {len(synthetic)}")
    if not synthetic.dtypes.equals(train.dtypes):
        raise ValueError(f"columns differ:\n{synthetic.dtypes.compare(train.dtypes)}")
    if synthetic.isna().any(axis=None):
        raise ValueError(f"values are missing:\n{synthetic.isna().sum()}")
    return synthetic.assign(**synthetic[numbers(synthetic)].round())


def utility(train, test, seed):
    """Scores on the test table of gradient boosting that learned from the training table."""
    classifier = HistGradientBoostingClassifier(random_state=seed)
    classifier.fit(train.drop(columns=LABEL), train[LABEL].astype(str))
    probability = classifier.predict_proba(test.drop(columns=LABEL))[:, 1]
    y_true, y_pred = test[LABEL] == CLASSES[1], probability > 0.5
    return {
        "macro_f1": float(f1_score(y_true, y_pred, average="macro")),
        "positive_f1": float(f1_score(y_true, y_pred)),
        "roc_auc": float(roc_auc_score(y_true, probability)),
    }


def describe_model(model, seed, args):
    """What is to be measured; skdeep's parameters in full."""
    ours, parameters = model == "skdeep", {}
    if ours:
        parameters = skdeep_estimator(seed, parameter_values(args.set)).get_params()
    return describe(args, parameters, ours=ours, data="adult", model=model, seed=seed)


# Table -------------------------------------------------------------------------------------


def row(records, reference):
    """Table row of a group of records; ``reference`` are the seconds of all fits of REFERENCE."""
    fit_s = [record["fit_cpu_s"] for record in records]
    positive = np.mean([record["positive_fraction"] for record in records])
    return {
        **summary(records, METRICS),
        "fraction >50K": float(positive),
        f"fit over {REFERENCE}'s": median_ratio(fit_s, reference) if reference else None,
    }


def print_versions(records):
    """Names of models, and the versions that their records have in common."""
    models = {}
    for record in records:
        text = ", ".join(f"{name} {value}" for name, value in record["versions"].items())
        models.setdefault(text, set()).add(record["model"])
    for text, names in models.items():
        print(f"\nmeasured with {text}: {', '.join(sorted(names))}")


def main():
    parser = study_parser(__doc__, models=MODELS, seeds=3)
    smoke = {"set": [("max_epochs", "1")]}
    args, records = parse_study(parser, "Synthetic tables on the CPU", **smoke)
    wanted = (
        describe_model(model, seed, args) for seed in range(args.seeds) for model in args.models
    )
    missing = collect(records, wanted, functools.partial(measure, args=args), args, METRICS)
    for (_, scored_on), groups in grouped(records.all, MODELS).items():
        found = [record for group in groups.values() for record in group]
        reference = [one["fit_cpu_s"] for one in found if one["model"] == REFERENCE]
        rows = [row(group, reference) for group in groups.values()]
        print_table(rows, title=f"Gradient boosting on Adult's real {scored_on} samples")
    print_versions(records.all)
    print_missing(missing)
    published = ", ".join(f"{name} {value:.3f}" for name, value in PUBLISHED.items())
    print(
        f"\nTabDDPM's paper (Kotelnikov et al. 2023), macro F1 on Adult: {published}."
        "\nNot the same protocol: CatBoost tuned on real rows, generators tuned for its score;"
        "\nhere the official split, gradient boosting with defaults, generators with defaults."
    )


if __name__ == "__main__":
    main()
