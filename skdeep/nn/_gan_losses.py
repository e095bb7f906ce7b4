"""Losses, penalties and statistics for generators and critics."""

import torch
from torch.nn import functional as F

#: Adversarial losses by name.
ADVERSARIAL_LOSSES = ("wgan-gp", "hinge", "non-saturating", "least-squares")


def critic_loss(real, fake, kind):
    """Loss of the critic, a scalar.

    Parameters
    ----------
    real, fake : Tensor, shape (batch, 1)
        Scores of real and generated rows.
    kind : {"wgan-gp", "hinge", "non-saturating", "least-squares"}
        Difference of the means [1]_; hinge loss [2]_; cross-entropy [3]_; squared error with
        targets one and zero [4]_.

    References
    ----------
    .. [1] Arjovsky, Chintala and Bottou (2017), "Wasserstein Generative Adversarial Networks",
       ICML.
    .. [2] Lim and Ye (2017), "Geometric GAN", arXiv:1705.02894.
    .. [3] Goodfellow et al. (2014), "Generative Adversarial Nets", NeurIPS.
    .. [4] Mao et al. (2017), "Least Squares Generative Adversarial Networks", ICCV.
    """
    if kind == "wgan-gp":
        return fake.mean() - real.mean()
    if kind == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    if kind == "non-saturating":
        return F.softplus(-real).mean() + F.softplus(fake).mean()
    return (real - 1).square().mean() + fake.square().mean()


def generator_loss(fake, kind):
    """Loss of the generator from the scores of its rows, a scalar; (batch, 1) -> ()."""
    if kind == "non-saturating":
        return F.softplus(-fake).mean()
    if kind == "least-squares":
        return (fake - 1).square().mean()
    return -fake.mean()


def gradient_norms(scores, x):
    """Squared gradient norm of the score of each row; (batch, 1), (batch, ...) -> (batch,).

    Half of the mean over real rows is the R1 penalty [1]_.

    References
    ----------
    .. [1] Mescheder, Geiger and Nowozin (2018), "Which Training Methods for GANs do actually
       Converge?", ICML.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(dim=1)


def interpolation_penalty(critic, real, fake, generator):
    """Gradient penalty: mean squared deviation of the critic's gradient norm from one [1]_.

    The gradient is computed at random points between real and generated rows.

    Parameters
    ----------
    critic : callable
        (batch, ...) -> (batch, 1).
    real, fake : Tensor, shape (batch, ...)
    generator : torch.Generator
        Source of the point on the line between each pair.

    Returns
    -------
    penalty : Tensor, a scalar

    References
    ----------
    .. [1] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", NeurIPS.
    """
    share = real.new_empty(len(real), *[1] * (real.ndim - 1)).uniform_(generator=generator)
    between = torch.lerp(real, fake, share).requires_grad_()
    # the square root is not differentiable at zero
    norms = (gradient_norms(critic(between), between) + 1e-12).sqrt()
    return (norms - 1).square().mean()


def gram_matrix(features):
    """Gram matrix: mean product of each pair of channels over rows and pixels [1]_.

    Parameters
    ----------
    features : Tensor, shape (batch, channels) or (batch, channels, height, width)

    Returns
    -------
    gram : Tensor, shape (channels, channels)

    References
    ----------
    .. [1] Gatys, Ecker and Bethge (2016), "Image Style Transfer Using Convolutional Neural
       Networks", CVPR.
    """
    columns = features.transpose(0, 1).flatten(1)  # (channels, batch * pixels)
    return columns @ columns.t() / columns.shape[1]


def style_loss(real, fake):
    """Mean squared error between Gram matrices, summed over layers; lists of Tensors -> ()."""
    return sum(
        (F.mse_loss(gram_matrix(b), gram_matrix(a)) for a, b in zip(real, fake, strict=True)),
        start=real[0].new_zeros(()),
    )
