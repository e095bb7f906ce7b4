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

__all__ = ["TabularGANSampler"]


class TabularGANSampler(TableGANMixin, SamplingMixin, AdversarialMixin, DeepEstimator):
    """Conditional generative adversarial net for tables of mixed columns.

    Numbers are written as a mode of a Gaussian mixture and a distance from it, categories as
    one-hot choices by Gumbel-softmax [1]_. In training, a row is drawn by a condition on one
    of its categories, which is chosen in proportion to the logarithm of its frequency, and the
    generator is asked for a row that meets it [2]_. The critic judges several rows together
    [3]_. Values that many rows share, zeros say, and missing ones are choices of their own
    [4]_.

    What it draws has the columns, order, dtypes, categories and bounds of the training table;
    integers, booleans and dates stay what they are, and values are missing only where some were
    missing before.

    Parameters
    ----------
    sampling_strategy : str, float, dict or callable, default="auto"
        Which classes ``fit_resample`` adds rows to, with imbalanced-learn's meaning.
        ``"minority"``: the smallest class; ``"not minority"``, ``"not majority"``, ``"all"``:
        all others or all, up to the size of the largest; ``"auto"`` is ``"not majority"``. A
        float is the wanted ratio of the smaller class to the larger one, of two; a dict gives
        the wanted number of rows by class; a callable gets ``y`` and returns such a dict. ``fit``
        and ``sample`` do not look at it.
    categorical_features : "from_dtype" or array-like of shape (n,) or None, default="from_dtype"
        Columns that hold categories: indices, names, or a mask. Strings, booleans and columns of
        categorical dtype are categories in any case.
    n_modes : int, default=10
        Most modes of a column of numbers.
    pac : int, default=1
        Rows that the critic judges together. Batches are rounded up to a multiple of it.
    dropout : float, default=0.0
        Share of the critic's hidden entries that training zeroes.
    latent_dim : int, default=128
        Number of noise values that a row is made of.
    hidden_layer_sizes : "auto", int or tuple of int, default="auto"
        Widths of the critic's layers, each followed by a residual block; the generator mirrors
        them. ``"auto"`` is ``(128, 128)``.
    activation : str, default="leaky_relu"
        Function behind each hidden layer: ``"identity"``, ``"relu"``, ``"leaky_relu"``,
        ``"elu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"logistic"``.
    loss : {"wgan-gp", "hinge", "non-saturating", "least-squares"}, default="wgan-gp"
        The game of the two nets: difference of mean scores with a penalty between real and
        generated rows [5]_; hinge loss [6]_; cross-entropy [7]_; squared
        distance from one and zero [8]_.
    gradient_penalty : float or "auto", default="auto"
        Weight of the penalty on the critic's slope. For ``"wgan-gp"`` on its distance from one
        between real and generated rows [5]_, for the other losses on half its square at
        real rows (R1, [9]_). ``"auto"`` is 10 for ``"wgan-gp"``, else 1; 0 leaves it out.
    n_critic : int, default=1
        Steps of the critic for each one of the generator.
    ema_decay : float, default=0.999
        Share of itself that the average of the generator's weights keeps in a step; rows are
        drawn from the average [10]_. Over the first steps it forgets faster. 0 takes the newest
        weights.
    critic_lr : float, default=None
        Step size of the critic.
    betas : (float, float), default=(0.5, 0.9)
        Decay rates of Adam's averages, of both nets.
    max_epochs : int, default=100
        Passes over the rows; as many batches as rows are seen in one.
    batch_size : int, default=200
        Rows per step, drawn with replacement: any number of rows fills any batch.
    lr : float, default=0.001
        Step size of the generator, and of the critic where ``critic_lr`` is None.
    weight_decay : float, default=1e-06
        Strength of the pull of all weights to zero, decoupled from the gradient.
    lr_schedule : {"constant", "cosine", "onecycle"}, default="cosine"
        Step sizes over training: ``"cosine"`` falls to zero over ``max_epochs``, ``"onecycle"``
        rises first.
    gradient_clip_value : float, default=None
        Largest norm of the gradient of each net's weights together; None leaves it as it is.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted state instead of starting anew. Modes, categories,
        classes, device and random streams stay those of the first fit.
        A pickle holds the state of the optimizer only with it.
    callbacks : list of skorch.callbacks.Callback, default=None
        Callbacks of skorch, also as ``(name, callback)``. Callbacks of scikit-learn go to
        ``set_callbacks``.
    device : str, torch.device or list of these, default="auto"
        Where to train: ``"auto"`` takes CUDA, then MPS, then the CPU. Of a list each parallel
        worker takes one.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, draws of rows and noise. An int gives the same result on every call.
    verbose : int, default=0
        0 prints nothing, 1 shows a bar over the epochs, 2 a line for each epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels; only where ``fit`` got classes.
    class_shares_ : ndarray of shape (n_classes,)
        Share of each class in the weights of the training rows; only with classes.
    sampling_strategy_ : dict
        Number of rows that ``fit_resample`` generated of each class; only behind it.
    n_iter_ : int
        Number of epochs trained.
    loss_curve_ : list of float, length `n_iter_`
        Mean loss of the generator in each epoch, without that of the conditions, which
        ``history_`` has. The losses of a game need not fall.
    critic_loss_curve_ : list of float, length `n_iter_`
        Mean loss of the critic in each epoch, without its penalty.
    history_ : list of dict, length `n_iter_`
        skorch's record of each epoch: the losses of both players and their terms, seconds.
    device_ : str
        Device the nets are on.
    module_ : torch.nn.Module
        The nets: ``generator``, its ``average`` and ``critic``.
    net_ : skorch.NeuralNet
        The skorch net that trained them; it holds ``history``.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during ``fit``, where all are strings.

    Raises
    ------
    DivergenceError
        From ``fit``, if a loss or a weight stops being finite.

    Warns
    -----
    ModeCollapseWarning
        From ``fit``, if the generated rows are far less diverse than the real ones; the criterion
        stands with :class:`skdeep.exceptions.ModeCollapseWarning`.

    See Also
    --------
    GANSampler : For numbers alone, and for images.
    skdeep.metrics.synthetic_table_report : Rates synthetic tables against real ones.

    References
    ----------
    .. [1] Jang, Gu and Poole (2017), "Categorical Reparameterization with Gumbel-Softmax", ICLR.
    .. [2] Xu et al. (2019), "Modeling Tabular data using Conditional GAN", NeurIPS.
    .. [3] Lin et al. (2018), "PacGAN: The power of two samples in generative adversarial
       networks", NeurIPS.
    .. [4] Zhao et al. (2021), "CTAB-GAN: Effective Table Data Synthesizing", ACML.
    .. [5] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", NeurIPS.
    .. [6] Lim and Ye (2017), "Geometric GAN", arXiv:1705.02894.
    .. [7] Goodfellow et al. (2014), "Generative Adversarial Nets", NeurIPS.
    .. [8] Mao et al. (2017), "Least Squares Generative Adversarial Networks", ICCV.
    .. [9] Mescheder, Geiger and Nowozin (2018), "Which Training Methods for GANs do actually
       Converge?", ICML.
    .. [10] Yazici et al. (2019), "The Unusual Effectiveness of Averaging in GAN Training", ICLR.

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
        """Draw new rows.

        Rows that do not meet their conditions are drawn again. A single condition, or class, that
        is not met in 100 draws is written into the row.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        y : array-like of shape (n_samples,) or a label, default=None
            Classes of the rows, for a generator that was fitted with classes. None draws them
            with the shares that they have in the training data.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws; None draws anew on every call.
        conditions : dict, default=None
            Category that all rows have by name (index, for arrays) of the column; None or NaN
            where they shall miss it.

        Returns
        -------
        X : {ndarray, dataframe} of shape (n_samples, n_features)
            New rows.
        y : ndarray of shape (n_samples,)
            Their classes; only where the generator was fitted with classes.

        Raises
        ------
        ValueError
            If a condition names no column of categories or no category of the training rows, or if
            rows do not come to meet several conditions at once.
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
