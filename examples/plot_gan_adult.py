"""
How realistic is a synthetic Adult table?
=========================================

The Adult data set is from the 1994 census in the United States. It has columns such as age,
working hours, occupation, and capital gain, which is zero for most people, and the target is
whether a person earns more than 50 000 dollars. :class:`~skdeep.generative.TabularGANSampler` is
trained on this table and draws synthetic people. :func:`~skdeep.metrics.synthetic_table_report`
compares them with real ones: the distribution of each column, pairs of columns, distances to real
people, and the scores of a classifier trained on them. To finish within a minute, the generator is
trained on 5000 people and for a small number of epochs.
"""

# %%
# Data
# ----
# The table is read from the folder in the environment variable ``SKDEEP_DATA``, or downloaded from
# OpenML. Strings are categories, integers stay integers, and question marks are missing values.

import os
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import fetch_openml

from skdeep.generative import TabularGANSampler
from skdeep.inspection import SyntheticTableDisplay
from skdeep.metrics import synthetic_table_report

NAMES = (
    "age workclass fnlwgt education education-num marital-status occupation relationship race sex "
    "capital-gain capital-loss hours-per-week native-country income"
).split()
path = Path(os.environ.get("SKDEEP_DATA", "")) / "adult.data.gz"
if path.exists():
    adult = pd.read_csv(path, names=NAMES, na_values="?", skipinitialspace=True)
else:
    adult = fetch_openml("adult", version=2, as_frame=True).frame
    adult.columns = NAMES

real = adult.sample(5000, random_state=0)
X_test = adult.drop(real.index)  # held out from the generator
print(f"{len(real)} people for training, {len(X_test)} held out, {len(NAMES)} columns")

# %%
# Drawing synthetic people
# ------------------------
# ``fit`` takes the table without any encoding. ``sample`` returns a table with the same columns and
# dtypes.

start = perf_counter()
gan = TabularGANSampler(max_epochs=60, random_state=0).fit(real)
synthetic = gan.sample(len(real), random_state=0)
seconds = perf_counter() - start
print(f"{gan.n_iter_} epochs and {len(synthetic)} synthetic people in {seconds:.0f} s")

assert (synthetic.dtypes == real.dtypes).all()
print(synthetic[["age", "education", "occupation", "capital-gain", "income"]].head())

# %%
# Evaluation
# ----------
# The first line evaluates the synthetic people. The second line evaluates the same number of
# held-out real people instead, which shows what a perfect generator would achieve. The remaining
# lines are the scores of classifiers.

others = X_test.sample(len(real), random_state=0)
X_test = X_test.drop(others.index)
report = synthetic_table_report(real, synthetic, X_test=X_test, target="income", random_state=0)
ceiling = synthetic_table_report(real, others, X_test=X_test, random_state=0)

for name, result in (("synthetic", report), ("real", ceiling)):
    print(
        f"{name:9s} marginal.mean {result.marginal.mean:.3f}, "
        f"pairwise.mean {result.pairwise.mean:.3f}, "
        f"privacy.distance_ratio {result.privacy.distance_ratio:.2f}, "
        f"privacy.synthetic.copies {result.privacy.synthetic.copies:.4f}"
    )
for name, utility in report.utility.items():
    print(f"utility.{name}: f1 {utility.f1:.3f}, roc_auc {utility.roc_auc:.3f}")

# %%
# Distributions of four columns
# -----------------------------
# The fraction of people in each bin of two numerical columns, and in each category of two
# categorical ones, with the distance between both distributions. Nearly all people are in the first
# bin of ``capital-gain``, since most have the same value, zero.

shown = ["age", "capital-gain", "marital-status", "workclass"]
display = SyntheticTableDisplay.from_predictions(real, synthetic, columns=shown, report=report)

# %%
# Pairs of columns
# ----------------
# Pearson's correlation for two numerical columns, Cramér's V for two categorical ones, and the
# correlation ratio for one of each.

display.plot(kind="correlations")
plt.show()

# %%
# Finding
# -------
# Random guessing has a ROC AUC of 0.5. The figure is the improvement over guessing of a classifier
# trained on synthetic people, relative to that of a classifier trained on real people.

columns = report.marginal.columns
worst, best = max(columns, key=columns.get), min(columns, key=columns.get)
fraction = (report.utility.synthetic.roc_auc - 0.5) / (report.utility.real.roc_auc - 0.5)
print(
    f"Finding: relative to guessing, a classifier trained on synthetic people is {fraction:.0%} as "
    f"good as one trained on real people. The most realistic column is {best} "
    f"({columns[best]:.3f}), the least realistic is {worst} ({columns[worst]:.3f})."
)
