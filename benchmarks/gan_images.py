"""Quality of generated images: accuracy of a classifier trained on them, precision and recall.

`GANSampler` with an ``image_shape`` is fitted on the training samples and their labels, and
generates the same number of images of each class. A classifier is trained on the generated images
only and scored on real ones; the same classifier trained on the real training samples is an upper
bound, the line ``real``.

- digits: scikit-learn's 1797 samples, shuffled once, with 1297 to train on and the last 500 to
  test; the same for each seed. The classifier is sklearn's SVC with default parameters. Target: an
  accuracy of .90, on two cores.
- mnist: the official 60,000 and 10,000 samples. The classifier is ResNetClassifier with the
  settings that resnet_images.py uses for real samples, four epochs. Target: .95, meant for a GPU.

Precision and recall [1] are the fraction of generated images close to real test images, and the
fraction of real test images close to generated ones. An image is close to another set if it lies
within the distance of one of its images to that image's third neighbor in the same set. Both sets
have as many images as there are test samples. Distances are measured between the features (`embed`)
of a ResNetClassifier trained on the real training samples with the seed of the generator, one for
all scores of this seed. On the line ``real``, training samples take the place of generated ones:
the result of a perfect generator, which is less than 1. Precision alone is not meaningful: similar
images that belong to no class may all be close to a single unusual real image.

The test images are scored once per seed, after training. The settings of the generator are chosen
with ``--validation``, which does not use the test images: a part of the training images, a fifth
for digits (a different one for each seed) and the last 10,000 for MNIST, is scored, and everything
is trained on the rest. The settings of the classifiers were not chosen here.

    python benchmarks/gan_images.py --json gan_images.json
    python benchmarks/gan_images.py --models skdeep --validation --set max_epochs=400
    python benchmarks/gan_images.py --data mnist --device cuda --json gan_images.json
    python benchmarks/gan_images.py --smoke

Both CPU time of all threads and wall time are reported; the latter matters on a GPU. Results in the
file are not measured again, unless skdeep's parameters have changed; the table shows all records of
the file. MNIST is read from the folder in the environment variable SKDEEP_DATA, else downloaded
from OpenML.

References
----------
.. [1] Kynkäänniemi et al. (2019), "Improved Precision and Recall Metric for Assessing Generative
   Models", NeurIPS.
"""

import functools

import numpy as np
from _data import Parts, digits, mnist, validation_split, without_test
from _harness import print_table, stopwatch, verdict
from _records import (
    collect,
    describe,
    grouped,
    parameter_values,
    parse_study,
    study_parser,
    summary,
)
from resnet_images import SHARED
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import SVC
from sklearn.utils import gen_batches

from skdeep.generative import GANSampler
from skdeep.neural_network import ResNetClassifier

N_TEST_DIGITS = 500
N_NEIGHBORS = 3
BATCH = 1000
# Parameters of GANSampler that differ from the defaults.
PARAMETERS = {
    "digits": {"image_shape": (8, 8)},
    "mnist": {"image_shape": (28, 28), "max_epochs": 50},
}
CLASSIFIER_EPOCHS = {"digits": 20, "mnist": 4}
MODELS = ("real", "skdeep")
METRICS = {"accuracy": "accuracy", "precision": "precision", "recall": "recall"}
TARGETS = {"digits": 0.90, "mnist": 0.95}


# Data --------------------------------------------------------------------------------------


@functools.cache
def official(data, smoke):
    """Samples and labels to train on, samples and labels to test."""
    if data == "mnist":
        return mnist(smoke=smoke)
    X, y = digits()
    return Parts(X[:-N_TEST_DIGITS], y[:-N_TEST_DIGITS], X[-N_TEST_DIGITS:], y[-N_TEST_DIGITS:])


def parts(data, seed, *, validation=False, limit=None, smoke=False):
    """Samples and labels to train on, at most ``limit``, and real ones to score."""
    found = official(data, smoke)
    if validation and data == "mnist":
        found = without_test(found)
    elif validation:
        found = validation_split(found.X_train, found.y_train, seed, stratify=found.y_train)
    return found._replace(X_train=found.X_train[:limit], y_train=found.y_train[:limit])


# Generators: each is fitted on images and returns a function that generates images by label ------


def real(X, y, parameters):
    return lambda labels: X


def skdeep_gan(X, y, parameters):
    sampler = GANSampler(**parameters).fit(X, y)
    seed = parameters["random_state"]
    return lambda labels: sampler.sample(len(labels), labels, random_state=seed)[0]


GENERATORS = dict(zip(MODELS, (real, skdeep_gan), strict=True))


def parameters(model, data, seed, args):
    """Arguments of a generator besides its data."""
    if model == "real":
        return {}
    given = {**PARAMETERS[data], "device": args.device, **parameter_values(args.set)}
    return GANSampler(**given, random_state=seed).get_params()


# Scores ------------------------------------------------------------------------------------


def residual_net(data, seed, device):
    """The classifier of the images."""
    return ResNetClassifier(
        **SHARED,
        image_shape=PARAMETERS[data]["image_shape"],
        max_epochs=CLASSIFIER_EPOCHS[data],
        device=device,
        random_state=seed,
    )


@functools.lru_cache(maxsize=1)
def reference(data, seed, device, **place):
    """Net trained on the real images, whose features define the distances."""
    found = parts(data, seed, **place)
    return residual_net(data, seed, device).fit(found.X_train, found.y_train)


def classifier(data, seed, device):
    """The untrained classifier for the generated images."""
    return SVC() if data == "digits" else residual_net(data, seed, device)


def precision_and_recall(real, fake):
    """Precision and recall of generated images [1].

    Parameters
    ----------
    real, fake : ndarray of shape (n_images, n_features)
        The same number of images of both.
    """
    if len(real) != len(fake):
        raise ValueError(f"the numbers of images must be equal; got {len(real)} and {len(fake)}")
    return _fraction_within(fake, real), _fraction_within(real, fake)


def _fraction_within(images, others):
    """Fraction of images closer to some other image than its k-th neighbor."""
    neighbors = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(others)
    reach = neighbors.kneighbors()[0][:, -1]  # an image is not its own neighbor
    batches = gen_batches(len(images), BATCH)
    within = [(cdist(images[batch], others) <= reach).any(axis=1) for batch in batches]
    return float(np.concatenate(within).mean())


def scores(drawn, found, net, judge):
    """Accuracy of a classifier trained on the generated images; precision and recall."""
    judge.fit(drawn, found.y_train)
    n_images = min(len(drawn), len(found.X_score))
    fake, truth = (
        net.embed(images[:n_images]).astype(np.float64) for images in (drawn, found.X_score)
    )
    precision, recall = precision_and_recall(truth, fake)
    accuracy = float(np.mean(judge.predict(found.X_score) == found.y_score))
    return {"accuracy": accuracy, "precision": precision, "recall": recall}


def measure(wanted, args):
    """Fit a generator, sample once, train the classifier on the samples; return the results."""
    model, data, seed = wanted["model"], wanted["data"], wanted["seed"]
    place = {"validation": args.validation, "limit": args.train_rows, "smoke": args.smoke}
    found = parts(data, seed, **place)
    net, judge = reference(data, seed, args.device, **place), classifier(data, seed, args.device)
    figures = {"rows": [len(found.y_train), len(found.y_score)], "device": args.device}
    with stopwatch(figures, "fit"):
        draw = GENERATORS[model](found.X_train, found.y_train, parameters(model, data, seed, args))
    with stopwatch(figures, "sample"):
        drawn = draw(found.y_train)
    return figures | scores(drawn.astype(found.X_train.dtype), found, net, judge)


def row(records):
    """Table row of a group of records."""
    first = records[0]
    has_target = first["model"] == "skdeep" and first["scored_on"] == "test"
    target = TARGETS[first["data"]] if has_target else None
    device = "/".join(sorted({record["device"] for record in records}))
    accuracy = np.mean([record["accuracy"] for record in records])
    return {**summary(records, METRICS), "device": device, **verdict(accuracy, at_least=target)}


def main():
    parser = study_parser(
        __doc__, data=PARAMETERS, models=MODELS, seeds=3, train_rows=None, device="cpu"
    )
    parser.set_defaults(data=["digits"])
    smoke = {"train_rows": 200, "set": [("max_epochs", "1")]}
    args, records = parse_study(parser, "Generated images", **smoke)
    wanted = (
        describe(
            args,
            parameters(model, data, seed, args),
            ours=model == "skdeep",
            data=data,
            model=model,
            seed=seed,
            train_rows=args.train_rows,
        )
        for data in args.data
        for seed in range(args.seeds)
        for model in args.models
    )
    collect(records, wanted, functools.partial(measure, args=args), args, METRICS)
    for (data, scored_on), groups in grouped(records.all, MODELS).items():
        judge = type(classifier(data, 0, "cpu")).__name__
        title = f"{data}: {judge} on the real {scored_on} images; precision and recall of "
        title += f"what it learned from (k={N_NEIGHBORS})"
        print_table([row(group) for group in groups.values()], title=title)


if __name__ == "__main__":
    main()
