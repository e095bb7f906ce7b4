"""From an empty environment to the first table of results: commands, seconds and lines of code.

For each library, an empty virtual environment is created, PyTorch's CPU build is installed, then
the library by the commands that a user types. Then a first program is run in a new process, as a
user would write it after reading the first page of the manual. It loads data of scikit-learn,
trains with the same number of epochs as the others of its task, and prints a table and a score.

- ``commands``: to install and to run, without the one that creates the environment.
- ``install s``: of the library and its dependencies; ``torch s``: of PyTorch before that.
- ``table s``: from the start of the process to the end, including imports.
- ``lines``: of the program, without blank ones.

Libraries that do not install, and programs that fail, are in the table, with the last line of the
error. Times of installation depend on the network and on pip's cache.

    python benchmarks/first_result.py
    python benchmarks/first_result.py --libraries skdeep PyOD

``--smoke`` installs nothing and runs the programs of skdeep in this environment.
"""

import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import NamedTuple

from _harness import Report, make_parser, parse

ROOT = Path(__file__).parents[1]
TORCH = "torch==2.13.0"


class Library(NamedTuple):
    """What pip installs, and the first programs by task."""

    packages: list
    programs: dict


CLASSES = """
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, classification_report
from sklearn.model_selection import train_test_split
{imports}
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
{train}
print(classification_report(y_test, y_pred))
print("score", accuracy_score(y_test, y_pred))
"""
CLUSTERS = """
from sklearn.datasets import load_digits
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
{imports}
X, y = load_digits(return_X_y=True)
{train}
print(contingency_matrix(y, labels))
print("score", normalized_mutual_info_score(y, labels))
"""
OUTLIERS = """
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import confusion_matrix, roc_auc_score
{imports}
X, is_benign = load_breast_cancer(return_X_y=True)
X, y = X[149:], is_benign[149:] == 0
{train}
print(confusion_matrix(y, is_outlier))
print("score", roc_auc_score(y, scores))
"""

SKORCH = """
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(64, 128)
        self.output = torch.nn.Linear(128, 10)
    def forward(self, x):
        return self.output(torch.relu(self.hidden(x)))
net = NeuralNetClassifier(
    Net, criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.AdamW, lr=1e-3, max_epochs=50
)
pipe = make_pipeline(StandardScaler(), FunctionTransformer(lambda x: x.astype(np.float32)), net)
y_pred = pipe.fit(X_train, y_train).predict(X_test)
"""
SKORCH_IMPORTS = """
import numpy as np
import torch
from skorch import NeuralNetClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
"""

LIBRARIES = {
    "skdeep": Library(
        [str(ROOT)],
        {
            "classes": CLASSES.format(
                imports="from skdeep.neural_network import ResNetClassifier",
                train="clf = ResNetClassifier(max_epochs=50).fit(X_train, y_train)\n"
                "y_pred = clf.predict(X_test)",
            ),
            "clusters": CLUSTERS.format(
                imports="from skdeep.cluster import DeepEmbeddedClustering",
                train="dec = DeepEmbeddedClustering(10, pretrain_epochs=50, max_epochs=50)\n"
                "labels = dec.fit_predict(X)",
            ),
            "outliers": OUTLIERS.format(
                imports="from skdeep.outlier_detection import AutoencoderOutlierDetector",
                train="detector = AutoencoderOutlierDetector(contamination=0.1).fit(X)\n"
                "is_outlier = detector.predict(X) == -1\n"
                "scores = -detector.score_samples(X)",
            ),
        },
    ),
    "skorch": Library(
        ["skorch"], {"classes": CLASSES.format(imports=SKORCH_IMPORTS, train=SKORCH)}
    ),
    "pytabkit": Library(
        ["pytabkit"],
        {
            "classes": CLASSES.format(
                imports="from pytabkit import RealMLP_TD_Classifier",
                train='clf = RealMLP_TD_Classifier(n_epochs=50, device="cpu").fit(X_train, y_train)'
                "\ny_pred = clf.predict(X_test)",
            )
        },
    ),
    "ClustPy": Library(
        ["clustpy"],
        {
            "clusters": CLUSTERS.format(
                imports="from clustpy.deep import IDEC",
                train="idec = IDEC(n_clusters=10, pretrain_epochs=50, clustering_epochs=50)\n"
                "labels = idec.fit(X).labels_",
            )
        },
    ),
    "PyOD": Library(
        ["pyod", "tqdm"],  # its autoencoder imports tqdm, which it does not depend on
        {
            "outliers": OUTLIERS.format(
                imports="from pyod.models.auto_encoder import AutoEncoder",
                train="detector = AutoEncoder(contamination=0.1).fit(X)\n"
                "is_outlier = detector.labels_ == 1\n"
                "scores = detector.decision_scores_",
            )
        },
    ),
}


def call(*command, cwd, env=None):
    """Seconds of a command, its output, and the last line of its error or None."""
    start = time.perf_counter()
    done = subprocess.run(list(command), cwd=cwd, env=env, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    lines = done.stderr.strip().splitlines() or ["no message"]
    return seconds, done.stdout, lines[-1][:100] if done.returncode else None


def install(library, folder):
    """Python of a new environment, the seconds of torch and of the library, and the error."""
    venv.create(folder / "env", with_pip=True)
    python = str(folder / "env" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    torch_seconds, _, error = call(*pip, TORCH, cwd=folder)
    seconds = None
    if error is None:
        seconds, _, error = call(*pip, *library.packages, TORCH, cwd=folder)
    return python, {"torch s": torch_seconds, "install s": seconds}, error


def first_table(python, code, folder, env):
    """Figures of a program: seconds, lines and score; or the error."""
    (folder / "first.py").write_text(code)
    seconds, output, error = call(python, "first.py", cwd=folder, env=env)
    figures = {"table s": seconds, "lines": sum(bool(line.strip()) for line in code.splitlines())}
    score = None if error else float(output.strip().splitlines()[-1].split()[-1])
    return figures | {"score": score, "error": error}


def measure(name, args):
    """Table rows of a library, one for each task."""
    library, env = LIBRARIES[name], dict(os.environ)
    if not args.smoke:
        env.pop("PYTHONPATH", None)  # only what is installed may be imported
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if args.smoke:
            python, seconds, error = sys.executable, {"torch s": None, "install s": None}, None
        else:
            python, seconds, error = install(library, folder)
        for task, code in library.programs.items():
            code = code.replace("epochs=50", "epochs=2") if args.smoke else code
            figures = {"error": error} if error else first_table(python, code, folder, env)
            # one to install torch, one for the library, one to run the program
            yield {"task": task, "library": name, "commands": 3, **seconds, **figures}


def main():
    args = parse(make_parser(__doc__, libraries=list(LIBRARIES)), libraries=["skdeep"])
    report = Report("Time to the first result", args)
    rows = []
    for name in args.libraries:
        for row in measure(name, args):
            rows.append(row)
            print(*row.values(), sep="  ", flush=True)
    report.add(sorted(rows, key=lambda row: row["task"]))


if __name__ == "__main__":
    main()
