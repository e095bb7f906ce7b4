"""Clustering by maximal information."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from skdeep._encoder import EncoderMixin
from skdeep._invariance import InvarianceMixin
from skdeep._preprocessing._linear import LinearScaler
from skdeep._restarts import amend, best_of, n_epochs_of_all, rebuild
from skdeep._training._data import make_rows
from skdeep._training._inference import CHUNK_ROWS
from skdeep._training._objective import Objective
from skdeep.base import DeepEstimator
from skdeep.cluster._base import DeepClusterMixin
from skdeep.cluster._epochs import EpochEnd
from skdeep.cluster._information import (
    estimate_n_clusters,
    evaluate,
    inconsistency,
    joint_distribution,
    loss_terms,
    merge_clusters,
)
from skdeep.cluster._schedule import LAST_WALK, Schedule
from skdeep.nn._cluster_net import ClusterNet
from skdeep.nn._coder import CoderShape
from skdeep.utils._params import BELOW_ONE, POSITIVE, POSITIVE_INTEGER, param
from skdeep.utils._random import make_generator
from skdeep.utils._settings import own_settings
from skdeep.utils._sklearn import StrOptions
from skdeep.utils._validation import check_weights

# Values of parameters that are "auto", for tables and for images; steps of the optimizer, which
# determine the number of epochs, are doubled for many images.
_STEPS = 500, 1000
_LR = 5e-3, 2e-3
_INFORMATION = 0.3, 0.2
_WIDTH = 512, 256
# In the first stage, clusters are pressed to equal sizes.
_BALANCE = {"first": 4.0, "last": 1.0}
# On the way, restarts are compared by the loss of this many batches.
_COMPARED = 10
# Views of each sample whose clusters are compared with its own.
_N_PAIRS = 4
# Up to this many images are restarted twice as often and trained for half the steps.
_FEW_ROWS = 10_000
# Number of clusters from which n_clusters="auto" starts: at most, and as a fraction of the samples.
_MOST_CLUSTERS, _SAMPLES_OF_CLUSTER = 30, 15


class IMSAT(DeepClusterMixin, InvarianceMixin, EncoderMixin, DeepEstimator):
    r"""Clustering by information-maximizing self-augmented training, IMSAT [1]_.

    One net returns the probability of each cluster. It is trained to put a sample and its *views*,
    such as rotated copies of an image or near neighbors in a table, into the same cluster, and to
    maximize the mutual information of samples and clusters [2]_. It minimizes

    .. math:: \overline{\mathrm{KL}(p(y|x) \,\|\, p(y|T(x)))} + \lambda \, [H(y|x) - \mu H(y)]

    with the entropies :math:`H` in nats, views :math:`T(x)` and ``information_weight``
    :math:`\lambda`; :math:`\mu` is between 1 and 4, see Notes.

    Parameters
    ----------
    n_clusters : int or "auto", default=8
        Number of clusters. ``"auto"`` estimates it: a net with up to 30 clusters is trained
        first, and clusters between which views move samples are merged; see the user guide
        for how often the result is right.
    information_weight : float or "auto", default="auto"
        For clusters, weight of the mutual information relative to the invariance; for classes, of
        the entropies relative to the cross-entropy of the labels. ``"auto"`` is 0.2 for clusters
        of images and 0.3 for classes of images. For tables it is 0.1 for classes, and for clusters
        0.3 and then, in the last stage, 1.
    class_prior : array-like of shape (n_clusters,), default=None
        Expected fractions of the samples in the clusters. By default clusters of equal size
        are preferred, but not enforced.
    n_init : int or "auto", default="auto"
        Number of nets with different seeds, of which the best one is kept. With images, half
        of the nets are dropped again and again in the first 40 % of the epochs. No labels
        are needed for that: in the end, nets are compared by how well the clusters of
        samples and their views agree. Nets whose loss stops being finite are dropped, too.
        ``"auto"`` is 5 for tables, 8 for up to 10,000 images, and 4 for more.
    tol : float, default=0.0
        Training stops when less than this fraction of the samples has changed its cluster
        in an epoch. 0 never stops.
    invariance : "auto", {"affine", "neighbors", "noise", "vat"} or list of these, default="auto"
        The views of a sample that must be in its cluster or class. ``"affine"``: the image,
        rotated, stretched, sheared and shifted. ``"neighbors"``: the end of a random walk to
        near neighbors. ``"noise"``: the same with Gaussian noise, and with a tenth of the
        features replaced by their mean. ``"vat"``: the sample, moved by a quarter of the
        distance to its neighbors in the direction that changes its probabilities most [3]_.
        ``"auto"`` is ``"affine"`` for images; for tables it is ``"neighbors"`` for clusters and
        ``"vat"`` for classes.
    invariance_strength : float, default=1.0
        Factor of the transformations of ``"affine"``, the noise of ``"noise"`` and the
        distance of ``"vat"``. 1 means rotations of up to 18 degrees, stretching and shearing by
        25 to 37 %, and shifts by up to 9 % of a side.
    n_neighbors : int, default=10
        Number of near neighbors of a sample for ``"neighbors"``, ``"noise"`` and ``"vat"``.
        More than 10,000 samples are divided at random into parts of at most that size, and
        neighbors are searched within each part.
    n_components : int or "auto", default="auto"
        Width of the last hidden layer, which ``transform`` returns. ``"auto"`` is 512 for
        tables and 256 for images.
    hidden_layer_sizes : "auto", int or tuple of int, default="auto"
        Number of units in each hidden layer of the encoder, in a GAN of the critic; the decoder, or
        generator, mirrors them. With ``image_shape``, the number of channels in each convolutional
        stage, every one of which halves height and width. ``"auto"`` is ``(256,)`` and for images
        ``(16, 32)``; for GANs it is ``(128, 128)`` and ``(32, 64)``. For tables, IMSAT and
        FewLabelsClassifier have ``()``; for images with both sides of at least 16 pixels,
        FewLabelsClassifier has ``(16, 32, 64)``. ``()`` makes autoencoders and GANs linear.
    activation : str, default="relu"
        Activation function of the hidden layers: ``"identity"``, ``"relu"``, ``"leaky_relu"``,
        ``"elu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"logistic"``.
    block : {"dense", "residual"}, default="dense"
        ``"residual"`` adds a residual block after each hidden layer or convolutional stage.
    image_shape : (int, int) or (int, int, int), default=None
        ``(height, width)`` or ``(channels, height, width)`` of the image that each sample contains,
        at least 8 x 8 pixels. If given, the net is convolutional.
    dropout : float, default=0.0
        Fraction of the hidden units that are set to zero during training; in a GAN, of those of the
        critic.
    batch_norm : bool, default=True
        Whether to apply batch normalization to the hidden layers.
    feature_scaling : {"auto", "global", "image", "minmax", "standard"} or None, default="auto"
        Scaling of the features. ``"image"`` subtracts one mean from all features and
        divides them by one standard deviation. ``"minmax"`` gives features the same range,
        outside of which outliers beyond five standard deviations may lie. ``"global"`` and
        ``"standard"`` subtract the mean of each feature and divide by one number for all of
        them or by the standard deviation of each. ``"auto"`` is ``"image"`` for images and
        ``"minmax"`` for tables.
    optimizer : {"adamw", "adam", "sgd"} or torch.optim.Optimizer subclass, default="adamw"
        Optimization algorithm. ``"sgd"`` has a Nesterov momentum of 0.9. A class is called as
        ``optimizer(parameters, lr=lr, weight_decay=weight_decay)``.
    precision : {"float32", "bf16-mixed"}, default="float32"
        Floating-point precision of training. ``"bf16-mixed"`` can be faster on recent GPUs.
    compile : bool, default=False
        Whether to train through ``torch.compile``. Only worthwhile for large nets on GPUs.
    max_epochs : int or "auto", default="auto"
        Maximum number of epochs. ``"auto"`` gives about 500 steps of the optimizer for
        tables, 2000 for DiffusionTimeDetector, and 1000 for images; if there are more than 10,000
        images, 2000 for clusters and 4000 for classes.
    batch_size : int, default=256
        Maximum number of samples per mini-batch. The batches of an epoch differ in size by at most
        one sample. If there are no more samples than that, including held-out ones, each epoch is a
        single batch, and the result depends neither on the order of the samples nor on whether a
        sample appears twice or has twice the weight.
    lr : float or "auto", default="auto"
        Learning rate of the optimizer; with a schedule, its maximum. ``"auto"`` is 0.002
        for images; for tables it is 0.005 for clusters and 0.001 for classes.
    weight_decay : float, default=0.01
        Weight decay, for all weights; AdamW applies it decoupled from the gradient.
    lr_schedule : {"constant", "coslog4", "cosine", "onecycle", "plateau"}, default="cosine"
        Learning rate schedule. ``"cosine"`` decreases the learning rate to zero over
        ``max_epochs``; ``"onecycle"`` increases it first; ``"coslog4"`` does so in four cycles,
        each twice as long as the one before; ``"plateau"`` divides it by five whenever the loss has
        not improved for ``n_iter_no_change // 2`` epochs. GANs have neither of the last two.
        ``partial_fit`` always uses a constant learning rate.
    gradient_clip_value : float, default=None
        Maximum norm of the gradient with respect to all weights of a net. None disables gradient
        clipping.
    warm_start : bool, default=False
        Whether ``fit`` continues from the fitted state instead of training from scratch. Feature
        scaling, categories, classes, target scaling, device and random number generators are kept
        from the first fit. The state of the optimizer is pickled only if ``warm_start=True`` or,
        for estimators that have it, after ``partial_fit``.
    callbacks : list of skorch.callbacks.Callback, default=None
        Callbacks of skorch, or tuples ``(name, callback)``. skorch's ``EarlyStopping``, and any
        callback that calls ``net.request_stop()``, ends training after the current epoch. Callbacks
        that predict, such as ``EpochScoring``, are not supported, as the net is trained on batches
        of scaled samples. Pass scikit-learn callbacks to ``set_callbacks``.
    checkpoint : str or path-like, default=None
        Folder for checkpoints of ``fit``. If the process is killed, the same call continues from
        the last one, see :doc:`/guide/saving`.
    checkpoint_every : int, default=5
        Number of epochs between checkpoints.
    device : str, torch.device or list of these, default="auto"
        Device to train on. ``"auto"`` uses CUDA if available, else MPS, else the CPU. If a list,
        each parallel worker uses one of its devices.
    random_state : int, RandomState instance or None, default=None
        Determines random number generation for weight initialization, the validation split, batch
        sampling, dropout, noise and augmentation. Pass an int for reproducible results across
        multiple function calls.
    verbose : int, default=0
        0 prints nothing, 1 shows a progress bar over the epochs, 2 prints a line for each epoch.

    Attributes
    ----------
    labels_ : ndarray of int of shape (n_samples,)
        Most probable cluster of each training sample.
    n_clusters_ : int
        Number of clusters.
    loss_ : float
        Training loss of the last epoch, in nats.
    n_iter_ : int
        Number of epochs of the net that was kept.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch, in nats.
    history_ : list of dict, length `n_iter_`
        Record of each epoch in skorch's format: losses, their terms, and seconds. ``"phase"`` is
        the stage of training, and ``"changed_labels"``, with ``tol`` or ``verbose=1``, the fraction
        of samples that changed their cluster.
    device_ : str
        Device that the net is on.
    module_ : torch.nn.Module
        The net itself.
    net_ : skorch.NeuralNet
        The skorch net, which was trained on scaled samples and has the ``history``.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``. Defined only when all of them are strings.

    Raises
    ------
    DivergenceError
        From ``fit``, if the loss or a weight stops being finite in all restarts that are left.

    See Also
    --------
    DeepEmbeddedClustering : Clusters around centers in the codes of an autoencoder.
    sklearn.cluster.KMeans : Clusters around centers in the space of the samples; much faster.
    sklearn.cluster.SpectralClustering : Clusters of the graph of near neighbors.

    Notes
    -----
    There are several kinds of restarts, in turn. All of them start with :math:`\mu = 4`, which
    presses clusters to equal sizes.

    - With images or ``"vat"``, every other restart has up to 30 clusters, or twice ``n_clusters``,
      in the first half of the epochs. Those between which views move samples most are then merged,
      and the rest is trained with :math:`\mu = 1`. They find clusters of unequal size.
    - With ``"neighbors"`` and ``"noise"``, restarts have random walks of 3 steps, or of 30 steps,
      which find elongated clusters, or of 3 steps and clusters that are merged in the end. After
      60 % of the epochs :math:`\mu = 1`, walks have 3 steps, and for tables
      ``information_weight="auto"`` is 1.

    The best one has the lowest :math:`2 H(Y|Y') - H(Y)`, where :math:`Y` and :math:`Y'` are the
    most probable clusters of a sample and of its view; nets with all samples in one cluster come
    last.

    ``invariance_strength`` matters: with half of it, many clusterings of images explain the data
    equally well, and handwritten digits are no longer found.

    Departures from [1]_: affine views of images, neighbors instead of perturbations for tables,
    batch statistics of samples and views together, and the two stages.

    A warm start trains the fitted net for ``max_epochs`` further epochs, without restarts.

    References
    ----------
    .. [1] Hu et al. (2017), "Learning Discrete Representations via Information Maximizing
       Self-Augmented Training", ICML.
    .. [2] Krause, Perona and Gomes (2010), "Discriminative Clustering by Regularized Information
       Maximization", NeurIPS.
    .. [3] Miyato et al. (2019), "Virtual Adversarial Training: A Regularization Method for
       Supervised and Semi-Supervised Learning", IEEE TPAMI.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep.cluster import IMSAT
    >>> X, y = load_iris(return_X_y=True)
    >>> imsat = IMSAT(3, n_init=2, max_epochs=100, random_state=0).fit(X)
    >>> imsat.labels_.shape
    (150,)
    >>> imsat.predict_proba(X[:2]).shape
    (2, 3)
    """

    n_clusters: int | str = param(POSITIVE_INTEGER, StrOptions({"auto"}), default=8)
    information_weight: float | str = param(POSITIVE, StrOptions({"auto"}), default="auto")
    class_prior: Sequence[float] | None = param("array-like", None, default=None)
    n_init: int | str = param(POSITIVE_INTEGER, StrOptions({"auto"}), default="auto")
    tol: float = param(BELOW_ONE, default=0.0)
    n_components: int | str = param(
        POSITIVE_INTEGER, StrOptions({"auto"}), default="auto", kw_only=True
    )
    batch_norm: bool = param(default=True)
    feature_scaling: str | None = param(
        StrOptions({"auto", "global", "image", "minmax", "standard"}), None, default="auto"
    )
    max_epochs: int | str = param(POSITIVE_INTEGER, StrOptions({"auto"}), default="auto")
    batch_size: int = param(default=256)
    lr: float | str = param(POSITIVE, StrOptions({"auto"}), default="auto")
    weight_decay: float = param(default=1e-2)
    lr_schedule: str = param(default="cosine")

    @own_settings()
    def score(self, X, y=None, sample_weight=None) -> float:
        """Return minus the loss of samples; higher is better.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to score.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.

        Returns
        -------
        score : float
            Weighted mutual information minus the divergence of the clusters of views, in nats.
            Near neighbors are searched among ``X``; draws are the same in each call.
        """
        return -self._loss(X, sample_weight)

    # Recipe --------------------------------------------------------------------------------

    def _plan(self, fit):
        graph, schedule = self._graph(fit.rows, fit.seed), self._schedule(fit)
        ends, n_kinds = schedule.comparisons, len(schedule.kinds)
        searches = self.n_clusters == "auto" and not fit.is_resumed
        n_restarted = n_epochs_of_all(schedule.n_starts, ends, n_kinds)
        fit.announce(searches * schedule.n_epochs + n_restarted)
        train_all = partial(self._train, graph, schedule, 0, schedule.n_epochs, fit, 0)
        if searches:
            _rebuild(fit, _most_clusters(fit))
            yield from train_all()
            _rebuild(fit, estimate_n_clusters(self._joint(graph, fit)))
        if schedule.n_starts == 1:
            yield from train_all()
        else:
            restart = partial(self._restart, graph, schedule, fit.module.n_clusters)
            loss = partial(self._loss_of_restart, graph, schedule)
            yield from best_of(fit, schedule.n_starts, restart, loss, ends, n_kinds)
        self._warn_of_collapse(fit)

    def _schedule(self, fit):
        n_clusters = self.n_clusters
        can_merge = n_clusters == "auto" or 1 < n_clusters <= len(fit.rows) // 2
        return Schedule(
            n_epochs=self._n_epochs(fit),
            n_starts=self._n_starts(fit),
            has_walks=not {"neighbors", "noise"}.isdisjoint(self._views()),
            has_images=self._has_images,
            can_merge=can_merge and self.class_prior is None,
        )

    def _restart(self, graph, schedule, n_clusters, start, end, fit, number):
        """Train a restart from one epoch to another; if it is of that kind, merge its clusters."""
        train = partial(self._train, graph, schedule)
        merging = schedule.merging_epoch(number)
        if merging is None:
            yield from train(start, end, fit, number)
            return
        if start == 0:
            _rebuild(fit, max(2 * n_clusters, _most_clusters(fit)))
        yield from train(start, min(end, merging), fit, number)
        if start < merging <= end:
            clusters = merge_clusters(self._joint(graph, fit), n_clusters)
            fit.module.merge(torch.from_numpy(clusters).to(fit.device))
            amend(fit, n_clusters=n_clusters)
        yield from train(max(start, merging), end, fit, number)

    def _train(self, graph, schedule, start, end, fit, number):
        """Train from one epoch to another; ``number`` counts the restarts."""
        for phase, first, last, walk in schedule.stages(number):
            first, last = max(start, first), min(end, last)
            if first < last:
                rng = np.random.default_rng([fit.seed, number, first])
                end_epoch = EpochEnd(self, graph, walk, rng)
                end_epoch.draw_partners(fit)
                yield from fit.train(
                    last - first,
                    phase=phase,
                    optimizer="keep",
                    on_epoch=end_epoch,
                    n_schedule_epochs=schedule.n_epochs,
                    first_epoch=first,
                    lr=_LR[self._has_images] if self.lr == "auto" else self.lr,
                )

    def _loss_of_restart(self, graph, schedule, end, fit):
        """Return a number by which restarts are compared; lower is better."""
        if end == schedule.n_epochs:
            joint = self._joint(graph, fit)
            # a single cluster is stable, but it is no clustering
            is_collapsed = np.count_nonzero(joint.sum(axis=0)) == 1
            return np.inf if is_collapsed else inconsistency(joint)
        generator = make_generator(0, fit.device)
        return evaluate(fit.module, self._objective("first"), fit.rows, generator, _COMPARED)

    def _joint(self, graph, fit):
        """Return the distribution of the clusters of pairs, see ``joint_distribution``."""
        rng, generator = np.random.default_rng(0), make_generator(0, fit.device)
        joints = []
        for _ in range(_N_PAIRS):
            if graph is not None:
                graph.draw_partners(fit.rows, 1, rng)
            joints.append(joint_distribution(fit.module, fit.rows, generator, _COMPARED))
        return np.mean(joints, axis=0)

    def _n_starts(self, fit):
        """Return the number of restarts; a warm start continues from a single net."""
        if fit.is_resumed:
            return 1
        if self.n_init != "auto":
            return int(self.n_init)
        if not self._has_images:
            return 5
        return 8 if len(fit.rows) <= _FEW_ROWS else 4

    def _n_epochs(self, fit):
        if self.max_epochs != "auto":
            return int(self.max_epochs)
        n_steps = _STEPS[self._has_images] * (1 + (self._has_images and len(fit.rows) > _FEW_ROWS))
        return self._epochs_of_steps(n_steps, fit)

    def _graph(self, rows, seed):
        """Return the near neighbors of rows and add their distances to them; None if unused."""
        graph = self._neighbor_graph(rows, seed)
        if graph is not None:
            rows.y = torch.from_numpy(graph.radius).to(rows.device)
        return graph

    # Parameters ----------------------------------------------------------------------------

    def _check_combination(self):
        super()._check_combination()
        self._prior()

    def _prior(self):
        """Return ``class_prior`` as a list, or None."""
        if self.class_prior is None:
            return None
        prior = np.asarray(self.class_prior, dtype=np.float64)
        if self.n_clusters == "auto":
            raise ValueError(
                "class_prior must be None with n_clusters='auto'; got "
                f"{self.class_prior!r}. Set the number of clusters."
            )
        n_clusters = int(self.n_clusters)
        if prior.shape != (n_clusters,) or not (prior > 0).all() or abs(prior.sum() - 1) > 1e-6:
            raise ValueError(
                f"class_prior must be {n_clusters} positive fractions, one for each cluster, whose "
                f"sum is 1; got {self.class_prior!r}. Divide them by their sum."
            )
        return prior.tolist()

    # Hooks ---------------------------------------------------------------------------------

    def _fit_scaler(self, data, rng):
        scaling = self.feature_scaling
        if scaling == "auto":
            scaling = "image" if self._has_images else "minmax"
        return LinearScaler.fit(data.X, data.weight, rng=rng, scaling=scaling)

    def _architecture(self, data, scaler):
        width = _WIDTH[self._has_images] if self.n_components == "auto" else self.n_components
        return {
            **self._coder_architecture(data, width),
            **self._size(),
            "invariance": self._views(),
            "strength": float(self.invariance_strength),
        }

    def _size(self):
        """Return the numbers of clusters and outputs: of a warm start, of a fit, or one for now."""
        if hasattr(self, "n_clusters_"):
            fitted = self._fitted_architecture
            given = self.n_clusters_ if self.n_clusters == "auto" else int(self.n_clusters)
            return {"n_clusters": given, "n_outputs": fitted["n_outputs"]}
        n_clusters = 1 if self.n_clusters == "auto" else int(self.n_clusters)
        return {"n_clusters": n_clusters, "n_outputs": n_clusters}

    @staticmethod
    def _make_module(architecture, streams):
        shape, rest = CoderShape.take_from(architecture)
        return ClusterNet(shape, streams, **rest)

    def _objective(self, phase):
        weight = self.information_weight
        if weight == "auto":
            is_last = phase == "last" and not self._has_images
            weight = 1.0 if is_last else _INFORMATION[self._has_images]
        hyperparameters = {
            "information": float(weight),
            "balance": _BALANCE[phase],
            "prior": self._prior(),
            "views": self._views(),
        }
        return Objective(loss_terms, hyperparameters, is_paired=True, is_stackable=True)

    def _record(self, fit):
        return {
            **super()._record(fit),
            "n_clusters_": fit.module.n_clusters,
            "loss_": fit.net.history[-1, "train_loss"],
        }

    def _loss(self, X, sample_weight):
        """Compute the loss of new samples, with the same draws in every call."""
        X = self._check_new(X)
        weight = check_weights(sample_weight, X)
        options = {"scaler": self._scaler, "device": self.device_, "batch_size": CHUNK_ROWS}
        index = None if weight is None else np.flatnonzero(weight)
        rows = make_rows(X, None, weight, index=index, **options)
        graph = self._graph(rows, 0)
        if graph is not None:
            graph.draw_partners(rows, LAST_WALK, np.random.default_rng(0))
        generator = make_generator(0, self.device_)
        return evaluate(self.module_, self.net_.criterion_, rows, generator)


def _most_clusters(fit):
    """Return the number of clusters from which clusters are merged."""
    return max(1, min(_MOST_CLUSTERS, len(fit.rows) // _SAMPLES_OF_CLUSTER))


def _rebuild(fit, n_clusters):
    rebuild(fit, n_clusters=n_clusters, n_outputs=n_clusters)
