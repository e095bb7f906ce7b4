"""What ten numbers keep of an MNIST image: PCA and the autoencoders beside it.

For each variant and seed: mean squared error per pixel of the held-out images' reconstructions,
pixels in [0, 1]; share of held-out images whose class the five nearest training codes name
(5-NN); seconds of ``fit``. Mean and, behind +-, the standard deviation over the seeds.

The settings were chosen beforehand, by reason or on rows held out of the training part
(``--evaluate-on validation``), never on the test rows:

- All train the same number of epochs with a step size that rises and falls to zero
  (``lr_schedule="onecycle"``), so that the last epoch is the best one and no stopping rule needs
  rows. Nothing ends a training early. The largest step size, 1e-3, is the default; 3e-3 was worse
  for every variant on validation rows (10000 rows, 10 epochs).
- Dense nets are 784-500-250-10, a common choice for MNIST; the residual net has a block of two
  more layers behind each hidden one; the denoising net masks a quarter of the pixels, as in
  Vincent et al. (2008).
- The convolutional net halves the image twice, to 7 x 7, with 32 and 64 channels.
- The variational net is the dense one with a Gaussian likelihood whose scale is learned, so that
  no weight between reconstruction and divergence has to be chosen.

    python benchmarks/autoencoder_quality.py
    python benchmarks/autoencoder_quality.py --train-rows 2000 --epochs 2 --seeds 1   # a smoke test

MNIST comes from the folder in the environment variable SKDEEP_DATA, else from OpenML.
"""

import time

import numpy as np
from _common import make_parser, mnist, print_header, print_table, save_json
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
DEFAULT_VARIANTS = ["pca", *list(VARIANTS)[:5]]
N_VALIDATION = 10000


def build(name, args, seed):
    """Unfitted estimator of that name."""
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


def evaluate(estimator, X_train, y_train, X_test, y_test):
    """Seconds of ``fit``, held-out error and accuracy of the codes."""
    start = time.perf_counter()
    estimator.fit(X_train)
    seconds = time.perf_counter() - start
    codes = estimator.transform(X_test)
    if isinstance(estimator, PCA):
        X_hat = estimator.inverse_transform(codes)
    else:
        X_hat = estimator.reconstruct(X_test)
    neighbors = KNeighborsClassifier(5).fit(estimator.transform(X_train), y_train)
    return {
        "seconds": seconds,
        "error": float(np.mean(np.square(X_hat - X_test, dtype=np.float64))),
        "accuracy": float(neighbors.score(codes, y_test)),
    }


def load(args):
    """Training rows, labels, held-out rows, labels."""
    X_train, y_train, X_test, y_test = mnist(n_test=args.test_rows)
    if args.evaluate_on == "validation":
        held_out = slice(-N_VALIDATION, -N_VALIDATION + args.test_rows or None)
        X_test, y_test = X_train[held_out], y_train[held_out]
        X_train, y_train = X_train[:-N_VALIDATION], y_train[:-N_VALIDATION]
    return X_train[: args.train_rows], y_train[: args.train_rows], X_test, y_test


def _spread(values, digits):
    return f"{np.mean(values):.{digits}f} +- {np.std(values):.{digits}f}"


def main():
    parser = make_parser(__doc__)
    names = ["pca", *VARIANTS]
    parser.add_argument("--variants", nargs="+", choices=names, default=DEFAULT_VARIANTS)
    parser.add_argument("--train-rows", type=int, default=60000)
    parser.add_argument("--test-rows", type=int, default=10000)
    parser.add_argument("--evaluate-on", choices=["test", "validation"], default="test")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--n-components", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3, help="largest step size of the schedule")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    print_header(f"MNIST, {args.n_components} components")
    data = load(args)
    print(
        f"{len(data[0])} training rows, {len(data[2])} {args.evaluate_on} rows, "
        f"{args.epochs} epochs, {args.seeds} seeds"
    )
    results = {}
    for name in dict.fromkeys(["pca", *args.variants]):
        runs = [evaluate(build(name, args, seed), *data) for seed in range(args.seeds)]
        results[name] = {key: [run[key] for run in runs] for key in runs[0]}
        error, accuracy = (float(np.mean(results[name][key])) for key in ("error", "accuracy"))
        print(f"  {name}: error {error:.4f}, 5-NN accuracy {accuracy:.3f}", flush=True)
    pca_error = float(np.mean(results["pca"]["error"]))
    rows = [
        {
            "variant": name,
            "held-out error": _spread(runs["error"], 5),
            "ratio to PCA's": float(np.mean(runs["error"])) / pca_error,
            "5-NN accuracy": _spread(runs["accuracy"], 4),
            "fit s": float(np.mean(runs["seconds"])),
        }
        for name, runs in results.items()
    ]
    print_table(rows)
    save_json(args.json, settings=vars(args) | {"json": str(args.json)}, results=results)


if __name__ == "__main__":
    main()
