"""Compression of MNIST images to ten components by PCA and autoencoders.

For each variant and seed: mean squared error per pixel of the reconstructed held-out images, with
pixels in [0, 1]; accuracy of a 5-nearest-neighbors classifier on the codes (5-NN); seconds of
``fit``. The table shows the mean and, after +-, the standard deviation over the seeds.

The settings were chosen a priori or on samples held out of the training set
(``--evaluate-on validation``), never on the test samples:

- All nets are trained for the same number of epochs with a learning rate that rises and then falls
  to zero (``lr_schedule="onecycle"``), so that the last epoch is the best one and early stopping,
  which would need held-out samples, is not used. The maximum learning rate, 1e-3, is the default;
  3e-3 was worse for every variant on validation samples (10000 of them, 10 epochs).
- Dense nets are 784-500-250-10, a common choice for MNIST. The residual net adds a block of two
  layers after each hidden layer. The denoising net masks a quarter of the pixels, as in Vincent et
  al. (2008).
- The convolutional net halves the image twice, to 7 x 7, with 32 and 64 channels.
- The variational net is the dense net with a Gaussian likelihood of learned scale, so that no
  weight between reconstruction and divergence has to be chosen.

    python benchmarks/autoencoder_quality.py
    python benchmarks/autoencoder_quality.py --smoke

MNIST comes from the folder in the environment variable SKDEEP_DATA, else from OpenML.
"""

import numpy as np
from _data import Parts, mnist, without_test
from _harness import Report, make_parser, parse, print_table, stopwatch
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from skdeep.decomposition import Autoencoder, VariationalAutoencoder

DENSE = {"hidden_layer_sizes": (500, 250)}
IMAGE = {"image_shape": (28, 28), "hidden_layer_sizes": (32, 64)}
VARIANTS = {
    "dense": (Autoencoder, DENSE),
    "residual": (Autoencoder, {**DENSE, "block": "residual"}),
    "convolutional": (Autoencoder, IMAGE),
    "denoising": (Autoencoder, {**DENSE, "noise": 0.25, "noise_kind": "masking"}),
    "variational": (VariationalAutoencoder, DENSE),
    "convolutional residual": (Autoencoder, {**IMAGE, "block": "residual"}),
}
METRICS = {"error": 5, "accuracy": 4}  # digits after the point


def build(name, args, seed):
    """Make an unfitted estimator by name."""
    if name == "pca":
        return PCA(args.n_components, random_state=seed)
    cls, settings = VARIANTS[name]
    return cls(
        args.n_components,
        **settings,
        max_epochs=args.epochs,
        n_iter_no_change=args.epochs,
        batch_size=args.batch_size,
        lr=args.lr,
        lr_schedule="onecycle",
        device=args.device,
        random_state=seed,
    )


def evaluate(estimator, data):
    """Seconds of ``fit``, held-out error and accuracy of the codes."""
    figures = {}
    with stopwatch(figures, "fit"):
        estimator.fit(data.X_train)
    codes = estimator.transform(data.X_score)
    if isinstance(estimator, PCA):
        X_hat = estimator.inverse_transform(codes)
    else:
        X_hat = estimator.reconstruct(data.X_score)
    neighbors = KNeighborsClassifier(5).fit(estimator.transform(data.X_train), data.y_train)
    figures["error"] = float(np.mean(np.square(X_hat - data.X_score, dtype=np.float64)))
    figures["accuracy"] = float(neighbors.score(codes, data.y_score))
    return figures


def load(args):
    """Training and held-out samples with labels."""
    data = mnist(smoke=args.smoke)
    if args.evaluate_on == "validation":
        data = without_test(data)
    n_train, n_test = args.train_rows, args.test_rows
    return Parts(*(part[:n_train] for part in data[:2]), *(part[:n_test] for part in data[2:]))


def row(name, runs, pca_error):
    """Table row of a variant: mean and standard deviation over the seeds."""
    values = {key: [run[key] for run in runs] for key in runs[0]}
    spread = {
        key: f"{np.mean(values[key]):.{digits}f} +- {np.std(values[key]):.{digits}f}"
        for key, digits in METRICS.items()
    }
    return {
        "variant": name,
        "held-out error": spread["error"],
        "ratio to PCA's": float(np.mean(values["error"])) / pca_error,
        "5-NN accuracy": spread["accuracy"],
        "fit s": float(np.mean(values["fit_s"])),
    }


def main():
    names = ["pca", *VARIANTS]
    parser = make_parser(
        __doc__,
        variants=names,
        train_rows=60000,
        test_rows=10000,
        epochs=20,
        seeds=3,
        n_components=10,
        batch_size=128,
        lr=1e-3,
        device="auto",
    )
    parser.add_argument("--evaluate-on", choices=["test", "validation"], default="test")
    parser.set_defaults(variants=names[:-1])
    args = parse(parser, train_rows=300, test_rows=100, epochs=1, seeds=1)
    report = Report(f"MNIST, {args.n_components} components", args)
    data = load(args)
    print(
        f"{len(data.X_train)} training samples, {len(data.X_score)} {args.evaluate_on} samples, "
        f"{args.epochs} epochs, {args.seeds} seeds"
    )
    runs = {}
    for name in dict.fromkeys(["pca", *args.variants]):
        runs[name] = [evaluate(build(name, args, seed), data) for seed in range(args.seeds)]
        report.keep([{"variant": name, "seed": seed, **run} for seed, run in enumerate(runs[name])])
        error, accuracy = (np.mean([run[key] for run in runs[name]]) for key in METRICS)
        print(f"  {name}: error {error:.4f}, 5-NN accuracy {accuracy:.3f}", flush=True)
    pca_error = float(np.mean([run["error"] for run in runs["pca"]]))
    print_table([row(name, one, pca_error) for name, one in runs.items()])


if __name__ == "__main__":
    main()
