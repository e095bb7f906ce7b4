"""DeepCluster."""

from numbers import Real

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from skdeep._training._objective import Objective
from skdeep._training._state import forget
from skdeep._views import ViewsMixin
from skdeep.base import DeepEstimator
from skdeep.cluster._base import HardClusterMixin
from skdeep.cluster._whitened import (
    balanced_weights,
    find_clusters,
    normalized_mutual_information,
)
from skdeep.nn import losses
from skdeep.nn._coder import CoderShape
from skdeep.nn._deep_cluster import DeepClusterModule, nearness, whiten
from skdeep.utils._params import POSITIVE_INTEGER, param
from skdeep.utils._sklearn import Interval
from skdeep.utils._validation import output_dtype
from skdeep.utils._warn import warn_user


class DeepCluster(HardClusterMixin, ViewsMixin, DeepEstimator):
    r"""DeepCluster: features that predict clusters of themselves, and those clusters.

    Alternates between k-means on the features of all samples and training a net to predict the
    clusters from augmented or noisy samples by a new linear classifier [1]_. Minimizes the
    cross-entropy, in which all clusters have the same weight. Features are reduced by PCA, whitened
    and scaled to length one before k-means.

    The aim is features for another estimator, from many small clusters. To find a few meaningful
    clusters, use other methods.

    Parameters
    ----------
    n_clusters : int, default=100
        Number of clusters, at most the number of samples. It is meant to be several times the
        number of classes or groups in the data.
    explained_variance : float, default=0.9
        Fraction of the variance of the features that PCA keeps before whitening; it keeps at least
        two axes.
    update_interval : int, default=100
        Minimum number of steps of the optimizer between two updates of the clusters, each with a
        new classifier. Updates take place after the end of an epoch: after each epoch if it has
        that many batches, as in the paper [1]_.
    augment : {"auto", "affine", "shift", "shift+flip"} or None, default="auto"
        Augmentation of images during training: ``"affine"`` rotates, scales, shears and shifts each
        image by random amounts, ``"shift"`` moves it by up to a twelfth of its shorter side, and
        ``"shift+flip"`` also mirrors it. ``"auto"`` is ``"affine"`` with ``image_shape``, else
        None.
    noise : float, default=0.5
        Amount of noise added to each sample during training: the standard deviation of Gaussian
        noise, in units of the scaled features, or the fraction of masked entries.
    noise_kind : {"gaussian", "masking"}, default="gaussian"
        ``"masking"`` sets entries to zero, which is the mean of a feature if features are scaled.
    n_components : int, default=64
        Number of components, that is, of the features that ``transform`` returns.
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
    feature_scaling : {"global", "standard"} or None, default="global"
        Scaling of the features. ``"global"`` subtracts the mean of each feature and divides all
        features by one number, the square root of their mean variance, so that they keep their
        relative variances, as in PCA. ``"standard"`` divides each feature by its standard
        deviation. With None, or with a loss, likelihood or output activation that restricts the
        range of ``X``, features are not scaled. Results are in the units of ``X``.
    optimizer : {"adamw", "adam", "sgd"} or torch.optim.Optimizer subclass, default="adamw"
        Optimization algorithm. ``"sgd"`` has a Nesterov momentum of 0.9. A class is called as
        ``optimizer(parameters, lr=lr, weight_decay=weight_decay)``.
    precision : {"float32", "bf16-mixed"}, default="float32"
        Floating-point precision of training. ``"bf16-mixed"`` can be faster on recent GPUs.
    compile : bool, default=False
        Whether to train through ``torch.compile``. Only worthwhile for large nets on GPUs.
    max_epochs : int, default=100
        Maximum number of epochs.
    batch_size : int, default=128
        Maximum number of samples per mini-batch. The batches of an epoch differ in size by at most
        one sample. If there are no more samples than that, including held-out ones, each epoch is a
        single batch, and the result depends neither on the order of the samples nor on whether a
        sample appears twice or has twice the weight. In a GAN, batches of this size are drawn with
        replacement instead, whatever the number of samples.
    lr : float, default=5e-3
        Learning rate of the optimizer; with a schedule, its maximum.
    weight_decay : float, default=0.0
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
    cluster_centers_ : ndarray of shape (n_clusters, n_axes)
        Centers in the space of k-means: whitened features, along the principal axes that are kept,
        scaled to length one.
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training sample.
    assignment_nmi_ : list of float, length at most `n_iter_`
        Normalized mutual information of the clusters before and after each update. It grows while
        the clusters become stable.
    n_iter_ : int
        Number of epochs trained.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch, in nats. It jumps with each new classifier.
    history_ : list of dict, length `n_iter_`
        Record of each epoch in skorch's format: loss, ``assignment_nmi`` if clusters were updated,
        and seconds.
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
        From ``fit``, if the loss or a weight stops being finite.

    Warns
    -----
    ConvergenceWarning
        From ``fit``, if all samples are in one cluster, or in two since the features only have one
        principal axis.

    See Also
    --------
    skdeep.decomposition.Autoencoder : Features that reconstruct samples.
    skdeep.decomposition.DeepInfoMax : Features that tell samples from each other.
    sklearn.cluster.KMeans : Clusters of the samples themselves.

    References
    ----------
    .. [1] Caron et al. (2018), "Deep Clustering for Unsupervised Learning of Visual Features",
       ECCV.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep.cluster import DeepCluster
    >>> X, _ = load_digits(return_X_y=True)
    >>> dc = DeepCluster(20, n_components=16, max_epochs=2, random_state=0).fit(X)
    >>> dc.transform(X).shape, dc.predict(X).shape
    ((1797, 16), (1797,))
    """

    n_clusters: int = param(default=100)
    n_components: int = param(default=64, kw_only=True)
    explained_variance: float = param(Interval(Real, 0, 1, closed="right"), default=0.9)
    update_interval: int = param(POSITIVE_INTEGER, default=100)
    batch_norm: bool = param(default=True)
    lr: float = param(default=5e-3)
    lr_schedule: str = param(default="cosine")

    def _assignment(self):
        arrays = self._feature_mean, self._feature_axes, self.cluster_centers_
        tensors = [torch.from_numpy(one.astype(np.float32)).to(self.device_) for one in arrays]
        mean, axes, centers = tensors

        def assign(x):
            return nearness(whiten(self.module_.encode(x), mean, axes), centers)

        return assign

    def _plan(self, fit):
        fit.announce(int(self.max_epochs))
        options = {"interval": int(self.update_interval), "n_epochs": int(self.max_epochs)}
        update = _Update(fit, self._find_clusters, **options)
        yield from fit.train(
            self.max_epochs,
            phase="clustering",
            optimizer="keep",
            targets=update.targets(fit),
            on_epoch=update.after_epoch,
        )
        update.finish(fit)
        self._warn_of_collapse(fit)
        self._warn_of_single_axis(update.clusters)

    def _warn_of_single_axis(self, clusters):
        """Warn if there are two points only, 1 and -1, for more than two clusters."""
        n_found = len(np.unique(clusters.labels))
        if len(clusters.axes) == 1 and 1 < n_found < self.n_clusters:
            warn_user(
                f"Samples are in only {n_found} of {self.n_clusters} clusters, since the features "
                "vary along a single axis. Increase n_components or remove outliers.",
                ConvergenceWarning,
            )

    def _find_clusters(self, fit):
        return fit.once_per_epoch(self._find)

    def _find(self, fit):
        return find_clusters(fit, int(self.n_clusters), self.explained_variance)

    def _labels(self, fit):
        return self._find_clusters(fit).labels

    def _architecture(self, data, scaler):
        return {
            **self._coder_architecture(data),
            **self._view_architecture(),
            "n_clusters": int(self.n_clusters),
        }

    @staticmethod
    def _make_module(architecture, streams):
        shape, rest = CoderShape.take_from(architecture)
        return DeepClusterModule(shape, streams, **rest)

    def _objective(self, phase):
        return Objective(_loss_terms)

    def _record(self, fit):
        clusters = self._find_clusters(fit)
        history = fit.net.history
        return {
            **super()._record(fit),
            "labels_": clusters.labels,
            "cluster_centers_": clusters.centers.astype(output_dtype(fit.data.X)),
            "assignment_nmi_": [r["assignment_nmi"] for r in history if "assignment_nmi" in r],
            "_feature_mean": clusters.mean,
            "_feature_axes": clusters.axes,
        }


class _Update:
    """Finds the clusters again after some epochs, with a new classifier.

    Parameters
    ----------
    fit : Fit
    find : callable
        ``find(fit)`` returns ``Clusters``.
    interval : int
        Minimum number of steps between updates.
    n_epochs : int
        Number of epochs of the training.
    """

    #: attributes that change during training
    saved = ("clusters", "n_steps")

    def __init__(self, fit, find, *, interval, n_epochs):
        self.find, self.interval = find, interval
        self.clusters = find(fit)
        self.n_steps = 0
        self.n_epochs = n_epochs + (0 if fit.net is None else len(fit.net.history))

    def targets(self, fit):
        """Labels and weights of the samples in the loss, (n_samples, 2)."""
        labels = self.clusters.labels
        weight = balanced_weights(labels, fit.data.weight)
        return np.column_stack([labels, weight]).astype(np.float32)

    def after_epoch(self, fit):
        """Count the steps of an epoch, and update if it is time or training ends."""
        history = fit.net.history
        self.n_steps += history[-1, "train_batch_count"]
        if self.n_steps >= self.interval or len(history) == self.n_epochs:
            self._update(fit)

    def finish(self, fit):
        """Update if training stopped early, so that a warm start has a new classifier."""
        if self.n_steps:
            self._update(fit)

    def _update(self, fit):
        self.n_steps, earlier = 0, self.clusters.labels
        self.clusters = self.find(fit)
        nmi = normalized_mutual_information(self.clusters.labels, earlier, fit.data.weight)
        fit.net.history.record("assignment_nmi", nmi)
        fit.set_targets(self.targets(fit))
        fit.module.reset_head(fit.streams["weights"])
        forget(fit.net, list(fit.module.head.parameters()))


def _loss_terms(output, batch, hyperparameters):
    """Cross-entropy of each sample, weighted by its cluster; (batch,)."""
    labels, weight = batch.y.unbind(dim=1)
    return {"cross_entropy": weight * losses.cross_entropy(output, labels.long())}
