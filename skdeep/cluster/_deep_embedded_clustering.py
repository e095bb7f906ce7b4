"""Deep embedded clustering."""

from numbers import Integral

import numpy as np
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from torch.nn import functional as F

from skdeep._training._objective import Objective
from skdeep._transfer import fitted_start
from skdeep.base import DeepEstimator
from skdeep.cluster._base import DeepClusterMixin, changed_fraction
from skdeep.decomposition import Autoencoder
from skdeep.decomposition._base import CoderMixin
from skdeep.nn import losses
from skdeep.nn._augment import AUGMENTATIONS
from skdeep.nn._cluster_centers import ClusterModule
from skdeep.nn._coder import CoderShape
from skdeep.utils._params import NON_NEGATIVE, POSITIVE_INTEGER, param
from skdeep.utils._sklearn import Interval, StrOptions
from skdeep.utils._threads import one_thread
from skdeep.utils._validation import output_dtype

# Restarts of the k-means that finds the first centers, as in the paper.
_N_INIT = 20


class DeepEmbeddedClustering(DeepClusterMixin, CoderMixin, DeepEstimator):
    r"""Deep embedded clustering: an autoencoder whose codes are pulled towards cluster centers.

    An autoencoder is pretrained, and k-means of its codes gives the first centers. Encoder and
    centers are then trained together to minimize the KL divergence of the assignments :math:`q` of
    the samples to the clusters from sharpened assignments :math:`p` [1]_, plus the reconstruction
    loss, which keeps the codes from collapsing [2]_:
    :math:`KL(p \| q) + w \, \|x - \hat x\|^2 / d` for :math:`d` features and the weight :math:`w`,
    ``reconstruction_weight``.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    reconstruction_weight : float, default=1.0
        Weight of the reconstruction loss during clustering. 0 is DEC [1]_, which does not train the
        decoder any further, so that reconstructions get worse. A positive value is IDEC [2]_, whose
        weight :math:`\gamma` of the divergence corresponds to ``1 / reconstruction_weight``; the
        paper's 0.1 is ``reconstruction_weight=10``.
    augment : {"affine", "shift", "shift+flip"} or None, default=None
        Data augmentation: ``"shift"`` shifts each training image by up to a twelfth of its
        shorter side, but at least by up to one pixel; ``"shift+flip"`` also mirrors half of
        them; ``"affine"`` rotates, stretches, shears and shifts them. Only for images.
    pretrain_noise : float, default=0.0
        Standard deviation of Gaussian noise, in units of the scaled features, that is added to the
        input of the encoder during pretraining, while the target remains the clean sample.
    autoencoder : sklearn.frozen.FrozenEstimator or None, default=None
        A fitted :class:`~skdeep.decomposition.Autoencoder` to start from instead of pretraining
        one: ``FrozenEstimator(Autoencoder(10).fit(X))``. It is not changed. Its layers, weights and
        feature scaling are used, and the parameters that describe them, from ``n_components`` to
        ``feature_scaling``, are ignored, as are ``pretrain_noise`` and ``pretrain_epochs``.
    pretrain_epochs : int, default=100
        Number of epochs of pretraining. If a callback ends it earlier, clustering follows.
    update_interval : int, default=140
        Number of steps of the optimizer after which the targets :math:`p` are updated.
    tol : float, default=1e-3
        Clustering stops after the epoch in which an update of the targets finds that less than this
        fraction of the samples has changed its cluster since the previous update. 0 never stops.
    n_components : int, default=10
        Number of components, that is, the dimension of the codes in which clusters are sought.
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
    batch_norm : bool, default=False
        Whether to apply batch normalization to the hidden layers; in a GAN, to those of the
        generator.
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
    lr : float, default=1e-3
        Learning rate of the optimizer; with a schedule, its maximum.
    weight_decay : float, default=0.0
        Weight decay, for all weights; AdamW applies it decoupled from the gradient.
    lr_schedule : {"constant", "coslog4", "cosine", "onecycle", "plateau"}, default="constant"
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
    cluster_centers_ : ndarray of shape (n_clusters, n_components)
        Cluster centers in the space of the codes.
    labels_ : ndarray of int of shape (n_samples,)
        Most probable cluster of each training sample.
    n_iter_ : int
        Number of epochs trained, including pretraining.
    loss_curve_ : list of float, length `n_iter_`
        Mean training loss of each epoch: that of reconstruction during pretraining, per feature, in
        units of the scaled features; then that of clustering.
    history_ : list of dict, length `n_iter_`
        Record of each epoch in skorch's format: losses, their terms, and seconds. ``"phase"`` is
        ``"pretraining"`` or ``"clustering"``, ``"target_updates"`` the number of updates of the
        targets, and ``"changed_labels"`` the fraction of samples that had changed their cluster at
        the last one.
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

    See Also
    --------
    skdeep.decomposition.Autoencoder : The autoencoder alone; its codes can be passed to any
        clusterer.
    sklearn.cluster.KMeans : Clusters around centers in the space of the samples; much faster.

    Notes
    -----
    The assignments are those of a Student's t kernel with one degree of freedom, :math:`q_{ij}
    \propto (1 + \|z_i - \mu_j\|^2)^{-1}`, and their targets :math:`p_{ij} \propto q_{ij}^2 /
    \sum_i q_{ij}` [1]_.

    ``augment`` applies to pretraining and clustering, while targets are computed for the original
    images: this is DEC-DA [3]_. ``max_epochs`` is the number of epochs of clustering, which follow
    those of pretraining. A warm start continues to cluster for that many epochs and updates the
    targets first.

    References
    ----------
    .. [1] Xie, Girshick and Farhadi (2016), "Unsupervised Deep Embedding for Clustering Analysis",
       ICML.
    .. [2] Guo, Gao, Liu and Yin (2017), "Improved Deep Embedded Clustering with Local Structure
       Preservation", IJCAI.
    .. [3] Guo, Zhu, Liu and Yin (2018), "Deep Embedded Clustering with Data Augmentation", ACML.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skdeep.cluster import DeepEmbeddedClustering
    >>> X, y = make_blobs(200, 10, centers=3, random_state=0)
    >>> dec = DeepEmbeddedClustering(3, pretrain_epochs=20, max_epochs=10, random_state=0).fit(X)
    >>> dec.labels_.shape
    (200,)
    >>> dec.predict_proba(X).shape
    (200, 3)
    """

    n_components: int = param(default=10, kw_only=True)
    reconstruction_weight: float = param(NON_NEGATIVE, default=1.0)
    augment: str | None = param(StrOptions(set(AUGMENTATIONS)), None, default=None)
    pretrain_noise: float = param(NON_NEGATIVE, default=0.0)
    autoencoder: FrozenEstimator | None = param(FrozenEstimator, None, default=None, data=True)
    pretrain_epochs: int = param(Interval(Integral, 0, None, closed="left"), default=100)
    update_interval: int = param(POSITIVE_INTEGER, default=140)
    tol: float = param(NON_NEGATIVE, default=1e-3)

    _changeable = ("augment", "noise", "reconstructs")

    def _plan(self, fit):
        is_new = not fit.is_resumed
        n_pretrain = int(self.pretrain_epochs) if is_new and self.autoencoder is None else 0
        fit.announce(n_pretrain + int(self.max_epochs))
        if is_new:
            yield from fit.train(n_pretrain, phase="pretraining")
            fit.module.set_centers(self._first_centers(fit))
        targets = _Targets(fit, interval=int(self.update_interval), tol=self.tol)
        yield from fit.train(
            self.max_epochs,
            phase="clustering",
            optimizer="new" if is_new else "keep",
            targets=targets.p,
            on_step=targets.after_step,
        )
        self._warn_of_collapse(fit)

    def _first_centers(self, fit):
        """Cluster the codes by k-means; (n_clusters, n_components)."""
        codes, weight = fit.apply(fit.module.encode), fit.data.weight
        # each code once: k-means draws samples, not weights
        codes, inverse = np.unique(codes.astype(np.float64), axis=0, return_inverse=True)
        weight = np.bincount(inverse, weight)
        codes, weight = codes[weight > 0], weight[weight > 0]
        if len(codes) < self.n_clusters:
            return np.resize(codes, (self.n_clusters, codes.shape[1]))
        kmeans = KMeans(self.n_clusters, n_init=_N_INIT, random_state=fit.seed % 2**32)
        with one_thread():  # several add in any order
            return kmeans.fit(codes, sample_weight=weight).cluster_centers_

    def _check_combination(self):
        """Raise an error for parameters that cannot be combined."""
        image_shape = self.image_shape
        if self.autoencoder is not None:
            image_shape = self._check_autoencoder()
        if image_shape is None and self.augment is not None:
            raise ValueError(
                f"augment needs image_shape; got augment={self.augment!r} and image_shape=None."
            )

    def _check_autoencoder(self):
        """Raise an error unless clustering can start from the autoencoder; return its shape."""
        kind = "skdeep.decomposition.Autoencoder"
        given = fitted_start(
            "autoencoder", self.autoencoder, lambda one: isinstance(one, Autoencoder), kind
        )
        architecture = given._fitted_architecture
        if architecture["global_skip"] or architecture["output_activation"] == "softmax":
            raise ValueError(
                "autoencoder must reconstruct samples from their codes alone, and not as "
                "probabilities; got one with global_skip=True or the output activation 'softmax'."
            )
        return architecture["image_shape"]

    def _check(self, X, y=None, sample_weight=None, *, reset):
        if reset and self.autoencoder is not None:
            checked = self.autoencoder.estimator._check_new(X)
            X = checked if np.ndim(X) > 2 else X  # images as rows
        return super()._check(X, y, sample_weight, reset=reset)

    def _fit_scaler(self, data, rng):
        if self.autoencoder is not None:
            return self.autoencoder.estimator._scaler
        return super()._fit_scaler(data, rng)

    def _architecture(self, data, scaler):
        if self.autoencoder is None:
            coder = {**self._coder_architecture(data), "noise": float(self.pretrain_noise)}
        else:
            coder = dict(self.autoencoder.estimator._fitted_architecture)
            coder |= {"noise": 0.0, "contractive": False, "loss_on_logits": False}
        return {
            **coder,
            "n_clusters": int(self.n_clusters),
            "reconstructs": bool(self.reconstruction_weight > 0),
            "augment": self.augment,
        }

    @staticmethod
    def _make_module(architecture, streams):
        shape, rest = CoderShape.take_from(architecture)
        return ClusterModule(shape, streams, **rest)

    def _set_first_weights(self, module):
        if self.autoencoder is not None:
            weights = self.autoencoder.estimator.module_.state_dict()
            module.load_state_dict(weights, strict=False)  # it has no centers

    def _objective(self, phase):
        weight = 1.0 if phase == "pretraining" else float(self.reconstruction_weight)
        return Objective(_loss_terms, {"reconstruction_weight": weight})

    def _record(self, fit):
        centers = fit.module.centers.detach().cpu().numpy().astype(output_dtype(fit.data.X))
        return {**super()._record(fit), "cluster_centers_": centers}

    def _reconstruction_loss(self, X, X_hat):
        """Mean squared error of each sample in squared units of ``X``."""
        return np.square(X - X_hat).mean(axis=1)


class _Targets:
    """Targets of the training samples, updated every few steps of the optimizer.

    Parameters
    ----------
    fit : Fit
    interval : int
        Number of steps.
    tol : float
        Training stops if an update finds that less than this fraction of the labels has changed.
    """

    #: attributes that change during training
    saved = ("labels", "n_steps")

    def __init__(self, fit, *, interval, tol):
        self.interval, self.tol = interval, tol
        self.n_steps = 0
        self._assign(fit)

    def _assign(self, fit):
        """Set labels, (n_samples,), and targets, (n_samples, n_clusters)."""
        q = fit.apply(fit.module.assign).astype(np.float64)
        self.labels = q.argmax(axis=1)
        p = q**2 / np.average(q, axis=0, weights=fit.data.weight)
        self.p = p / p.sum(axis=1, keepdims=True)

    def after_step(self, fit):
        """Count a step, and update the targets if it is time."""
        self.n_steps += 1
        if self.n_steps % self.interval:
            return
        earlier = self.labels
        self._assign(fit)
        fit.set_targets(self.p)
        history = fit.net.history
        changed = changed_fraction(self.labels, earlier, fit.data.weight)
        history.record("changed_labels", changed)
        history.record("target_updates", history[-1].get("target_updates", 0) + 1)
        if changed < self.tol:
            fit.net.request_stop()


def _loss_terms(output, batch, hyperparameters):
    """Losses of each sample by name, (batch,) each."""
    terms = {}
    if output.assignment is not None:
        divergence = F.kl_div(output.assignment.log(), batch.y, reduction="none")
        terms["clustering"] = divergence.sum(dim=1)
    if output.reconstruction is not None:
        error = losses.squared_error(output.reconstruction, output.target)
        terms["reconstruction"] = hyperparameters["reconstruction_weight"] * error
    return terms
