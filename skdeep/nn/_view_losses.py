"""Terms of losses of nets that compare samples with their views."""

from skdeep.nn import losses


def view_terms(output, kinds):
    """Return divergence of views, entropy, (batch,) each, and probabilities, (batch, n_classes).

    Neighbors count like the sample in entropy and probabilities. The other views learn from the
    sample, whose probabilities they do not change [1]_.

    Parameters
    ----------
    output : ClusterOutput
    kinds : tuple of str
        Kind of each view, some of ``INVARIANCES``.

    References
    ----------
    .. [1] Miyato et al. (2019), "Virtual Adversarial Training: A Regularization Method for
       Supervised and Semi-Supervised Learning", IEEE TPAMI.
    """
    clean = output.clean
    divergences, samples = [], [clean]
    for kind, view in zip(kinds, output.views, strict=True):
        if kind in ("neighbors", "noise"):
            divergences.append(losses.symmetric_divergence(clean, view))
            samples.append(view)
        else:
            divergences.append(losses.divergence(clean.detach(), view))
    return (
        mean(divergences),
        mean([losses.entropy(one) for one in samples]),
        mean([one.exp() for one in samples]),
    )


def mean(parts):
    """Return the mean of a list of tensors."""
    return sum(parts) / len(parts)
