"""GANs for tables of mixed columns, as samplers."""

from typing import Any

from sklearn.utils.validation import check_is_fitted

from skdeep.base import DeepEstimator
from skdeep.generative._base import AdversarialMixin
from skdeep.generative._sampling import SamplingMixin
from skdeep.generative._tables import TableGANMixin
from skdeep.utils._params import param
from skdeep.utils._random import numpy_generator
from skdeep.utils._settings import own_settings
from skdeep.utils._validation import check_n_samples


class TabularGANSampler(TableGANMixin, SamplingMixin, AdversarialMixin, DeepEstimator):
    """Conditional generative adversarial net for tables of mixed columns.

    A generator is trained to generate rows that a critic cannot distinguish from real ones [1]_.
    Numbers are represented by a mode of a Gaussian mixture and the distance from it, categories by
    one-hot vectors, generated with the Gumbel-softmax [7]_. Each training row is drawn conditional
    on one of its categories, chosen in proportion to the logarithm of its frequency, and the
    generator has to generate a row that meets the same condition [8]_. Values that many rows
    share, such as zero, and missing values are represented by modes of their own [10]_.

    Generated tables have the columns, dtypes, categories and value ranges of the training table.
    Integers, booleans and dates keep their type, and values are missing only in columns that had
    missing values.

    Parameters
    ----------
    sampling_strategy : str, float, dict or callable, default="auto"
        Which classes ``fit_resample`` oversamples, as in imbalanced-learn. ``"minority"``: the
        smallest class; ``"not minority"``: all but the smallest; ``"not majority"``: all but the
        largest; ``"all"``: all classes. ``"auto"`` is ``"not majority"``. Each of them is brought
        to the size of the largest class. A float is the desired ratio of the minority to the
        majority class, for two classes only. A dict contains the desired number of samples of each
        class. A callable takes ``y`` and returns such a dict. Not used by ``fit`` and ``sample``.
    categorical_features : "from_dtype" or array-like of shape (n,) or None, default="from_dtype"
        Categorical features: a boolean mask, indices or names. ``"from_dtype"`` selects the columns
        of a dataframe that have a categorical dtype or contain only strings. See Notes for how
        categories are treated.
    n_modes : int, default=10
        Maximum number of modes per numerical column.
    pac : int, default=1
        Number of rows that the critic judges jointly [9]_. The batch size is rounded up to a
        multiple of it.
    dropout : float, default=0.0
        Fraction of the hidden units that are set to zero during training; in a GAN, of those of the
        critic.
    latent_dim : int, default=128
        Dimension of the noise vectors, the input of the generator.
    hidden_layer_sizes : "auto", int or tuple of int, default="auto"
        Number of units in each hidden layer of the encoder, in a GAN of the critic; the decoder, or
        generator, mirrors them. With ``image_shape``, the number of channels in each convolutional
        stage, every one of which halves height and width. ``"auto"`` is ``(256,)`` and for images
        ``(16, 32)``; for GANs it is ``(128, 128)`` and ``(32, 64)``. For tables, IMSAT and
        FewLabelsClassifier have ``()``; for images with both sides of at least 16 pixels,
        FewLabelsClassifier has ``(16, 32, 64)``. ``()`` makes autoencoders and GANs linear.
    activation : str, default="leaky_relu"
        Activation function of the hidden layers: ``"identity"``, ``"relu"``, ``"leaky_relu"``,
        ``"elu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"logistic"``.
    loss : {"wgan-gp", "hinge", "non-saturating", "least-squares"}, default="wgan-gp"
        Adversarial loss: Wasserstein distance with a gradient penalty [2]_, hinge loss [3]_,
        cross-entropy [1]_ or least squares [4]_.
    gradient_penalty : float or "auto", default="auto"
        Weight of the gradient penalty of the critic. ``"wgan-gp"`` penalizes how far the norm of
        the gradient is from one, between real and generated samples [2]_; the other losses penalize
        half of its square, at real samples (R1, [5]_). ``"auto"`` is 1, but 10 in
        :class:`TabularGANSampler` for ``"wgan-gp"``. 0 disables it.
    n_critic : int, default=1
        Number of updates of the critic per update of the generator.
    ema_decay : float, default=0.999
        Decay rate of the exponential moving average of the generator's weights, from which samples
        are drawn [6]_. The rate is lower over the first updates. 0 uses the latest weights.
    critic_lr : float, default=None
        Learning rate of the critic. None uses ``lr``, the learning rate of the generator, for both.
    betas : (float, float), default=(0.5, 0.9)
        Decay rates of AdamW's moment estimates, for generator and critic.
    max_epochs : int, default=100
        Maximum number of epochs.
    batch_size : int, default=200
        Number of samples per mini-batch. They are drawn with replacement, so that it may exceed the
        number of samples.
    lr : float, default=0.001
        Learning rate of the optimizer; with a schedule, its maximum.
    weight_decay : float, default=1e-06
        Weight decay, for all weights; AdamW applies it decoupled from the gradient.
    lr_schedule : {"constant", "cosine", "onecycle"}, default="cosine"
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
    classes_ : ndarray of shape (n_classes,)
        Class labels. Only available if ``fit`` was given classes.
    class_shares_ : ndarray of shape (n_classes,)
        Fraction of each class in the training samples, by weight. Only available if ``fit`` was
        given classes.
    sampling_strategy_ : dict
        Number of samples that ``fit_resample`` generated for each class. Only available after
        ``fit_resample``.
    n_iter_ : int
        Number of epochs trained.
    loss_curve_ : list of float, length `n_iter_`
        Mean loss of the generator in each epoch, without the condition term, which is in
        ``history_``. The losses of a GAN need not decrease.
    critic_loss_curve_ : list of float, length `n_iter_`
        Mean loss of the critic in each epoch, without the gradient penalty.
    history_ : list of dict, length `n_iter_`
        Record of each epoch in skorch's format: losses of generator and critic, their terms, and
        seconds.
    device_ : str
        Device that the nets are on.
    module_ : torch.nn.Module
        The nets: ``generator``, its moving ``average`` and ``critic``.
    net_ : skorch.NeuralNet
        The skorch net that trained them. It has the ``history``.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``. Defined only when all of them are strings.

    Raises
    ------
    DivergenceError
        From ``fit``, if a loss or a weight stops being finite.

    Warns
    -----
    ModeCollapseWarning
        From ``fit``, if the generated samples are far less diverse than the real ones. See
        :class:`skdeep.exceptions.ModeCollapseWarning` for the criterion.

    See Also
    --------
    GANSampler : GAN for numerical features and for images.
    skdeep.metrics.synthetic_table_report : Compares synthetic tables with real ones.

    Notes
    -----
    Columns of strings and of a categorical dtype are always treated as categorical, and booleans
    as categories of two values.

    Both nets have a residual block after each hidden layer. An epoch consists of as many batches
    as are needed to draw at least as many samples as the training set has.

    References
    ----------
    .. [1] Goodfellow et al. (2014), "Generative Adversarial Nets", NeurIPS.
    .. [2] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", NeurIPS.
    .. [3] Lim and Ye (2017), "Geometric GAN", arXiv:1705.02894.
    .. [4] Mao et al. (2017), "Least Squares Generative Adversarial Networks", ICCV.
    .. [5] Mescheder, Geiger and Nowozin (2018), "Which Training Methods for GANs do actually
       Converge?", ICML.
    .. [6] Yazici et al. (2019), "The Unusual Effectiveness of Averaging in GAN Training", ICLR.
    .. [7] Jang, Gu and Poole (2017), "Categorical Reparameterization with Gumbel-Softmax", ICLR.
    .. [8] Xu et al. (2019), "Modeling Tabular data using Conditional GAN", NeurIPS.
    .. [9] Lin et al. (2018), "PacGAN: The power of two samples in generative adversarial
       networks", NeurIPS.
    .. [10] Zhao et al. (2021), "CTAB-GAN: Effective Table Data Synthesizing", ACML.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdeep.generative import TabularGANSampler
    >>> table = pd.DataFrame({"size": [1, 2, 3, 4] * 25, "kind": ["cat", "dog"] * 50})
    >>> gan = TabularGANSampler(max_epochs=5, random_state=0).fit(table)
    >>> gan.sample(3, conditions={"kind": "dog"}, random_state=0)["kind"].tolist()
    ['dog', 'dog', 'dog']
    """

    latent_dim: int = param(default=128)
    loss: str = param(default="wgan-gp")
    batch_size: int = param(default=200)
    weight_decay: float = param(default=1e-6)
    lr_schedule: str = param(default="cosine")

    @own_settings()
    def sample(self, n_samples=1, y=None, random_state=None, *, conditions=None) -> Any:
        """Generate random samples, optionally with given categories.

        Samples that do not meet the conditions are drawn again. A single condition, or class, that
        a sample has not met after 100 draws is set to the desired value.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples to generate.
        y : array-like of shape (n_samples,) or a label, default=None
            Classes of the samples, if the generator was fitted with classes. None draws classes
            with the frequencies that they have in the training data.
        random_state : int, RandomState instance or None, default=None
            Determines random number generation. Pass an int for reproducible results across
            multiple function calls.
        conditions : dict, default=None
            Category that all samples have in a categorical column, by the name of the column (by
            its index for arrays). None or NaN for a missing value.

        Returns
        -------
        X : {ndarray, dataframe} of shape (n_samples, n_features)
            Generated samples.
        y : ndarray of shape (n_samples,)
            Their classes. Only returned if the generator was fitted with classes.

        Raises
        ------
        ValueError
            If a condition names a column that is not categorical or a category that is not in the
            training data, or if several conditions are not met together.
        """
        if conditions is None:
            return super().sample(n_samples, y, random_state)
        check_is_fitted(self)
        check_n_samples(n_samples)
        rng = numpy_generator(random_state)
        wanted = self._find_conditions(conditions, n_samples)
        if y is not None:
            wanted[self.n_features_in_] = self._codes_to_draw(n_samples, y, rng)
        table = self._draw_matching(wanted, n_samples, rng, insists=len(wanted) > 1)
        if not hasattr(self, "classes_"):
            return self._as_given(table)
        return self._as_given(table), self.classes_[table[:, -1].astype(int)]
