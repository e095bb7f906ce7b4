"""Nets that predict hidden entries of a table from the others."""

import math
from typing import NamedTuple

import torch
from torch import nn

from skdeep.nn import losses
from skdeep.nn._coder import CoderShape, make_encoder
from skdeep.nn._draw import draw
from skdeep.nn._elementwise import in_whole_vectors
from skdeep.nn._linear import Linear
from skdeep.nn._table import CategoryEmbedding

# Range of the mean probability that an entry is hidden in training.
_LEAST_HIDDEN, _MOST_HIDDEN = 0.05, 0.5
_MEAN_HIDDEN = (_LEAST_HIDDEN + _MOST_HIDDEN) / 2
# Columns with fewer missing entries are hidden as if this fraction of theirs were missing.
_LEAST_RATE = 0.1
# Every entry of a validation sample is hidden once, in one of this many passes.
_N_PASSES = 4
# Bounds of the logarithm of the standard deviation of a predicted number.
_LOG_SCALES = (-6.0, 3.0)


class Prediction(NamedTuple):
    """Predicted entries of samples."""

    #: (batch, n_numeric) numbers
    mean: torch.Tensor
    #: (batch, n_numeric) logarithm of the standard deviation of their errors
    log_scale: torch.Tensor
    #: (batch, n_categories) logits, for each categorical column
    logits: tuple[torch.Tensor, ...]


class ImputerOutput(NamedTuple):
    """Output of the forward pass of ``ImputerNet``; there is one pass in training."""

    #: (passes, batch, ...) each
    prediction: Prediction
    #: (passes, batch, n_columns) one for entries that are observed but hidden, else zero
    hidden: torch.Tensor
    #: (passes, batch) expected number of such entries
    n_hidden: torch.Tensor


def _fill_uniform(part, _, generator):
    part.uniform_(generator=generator)


class GaussianConditional(nn.Module):
    """Means and variances of missing numbers given the observed ones, of a normal distribution.

    **Shape**: (batch, n_numeric) numbers, zero if missing, and masks of the observed ones -> the
    same with means in place of missing numbers, and variances, zero for observed ones

    Parameters
    ----------
    mean : sequence of float, length n_numeric
    covariance : sequence of sequence of float, n_numeric x n_numeric
    """

    mean: torch.Tensor
    covariance: torch.Tensor

    def __init__(self, mean, covariance):
        super().__init__()
        for name, value in (("mean", mean), ("covariance", covariance)):
            value = torch.tensor(value, dtype=torch.float32)
            self.register_buffer(name, value, persistent=False)

    def forward(self, numbers, masks):
        """(batch, n_numeric) twice -> (batch, n_numeric) twice."""
        with torch.no_grad(), torch.autocast(numbers.device.type, enabled=False):
            observed, distance = self.equations(numbers, masks)
            covariance = self.covariance.unsqueeze(-3)
            sides = torch.cat([distance, covariance * masks.unsqueeze(-1)], dim=-1)
            scores = torch.linalg.solve(observed, sides)  # rows of missing numbers are zero
            means = self.means(scores[..., :1])
            explained = (covariance * scores[..., 1:]).sum(dim=-2)
            variances = covariance.diagonal(dim1=-2, dim2=-1) - explained
            return torch.where(masks > 0, numbers, means), variances

    def equations(self, numbers, masks):
        """Covariances of observed numbers, and their distances from the mean, for ``means``.

        (batch, n_numeric) twice -> (batch, n_numeric, n_numeric), (batch, n_numeric, 1)
        """
        pairs = masks.unsqueeze(-1) * masks.unsqueeze(-2)  # (batch, n_numeric, n_numeric)
        observed = self.covariance.unsqueeze(-3) * pairs + torch.diag_embed(1 - masks)
        return observed, ((numbers - self.mean.unsqueeze(-2)) * masks).unsqueeze(-1)

    def means(self, scores):
        """Conditional means by the solution, (batch, n_numeric, 1) -> (batch, n_numeric)."""
        return self.mean.unsqueeze(-2) + (self.covariance.unsqueeze(-3) * scores).sum(dim=-2)


class ImputerNet(nn.Module):
    """Net that is trained to predict entries that it does not see: a masked autoencoder [1]_.

    Residual blocks, a linear map beside them, and for numbers the conditional means and variances
    of a normal distribution, which they correct. At first, categories have the probabilities of
    ``baseline``.

    **Shape**: (batch, 2 * n_numeric + n_categorical) -> ``ImputerOutput``; see ``GapScaler``

    Parameters
    ----------
    n_numeric : int
    cardinalities : tuple of int
        Number of categories of each categorical column.
    rates : tuple of float, length n_columns
        Fraction of missing entries of each column; entries are hidden in proportion to it.
    baseline : tuple of float
        Initial logits of all categories.
    gaussian : (tuple, tuple) or None
        Mean and covariance of the numbers, by which they are first predicted from the observed
        ones; None predicts their mean, zero, and their variance, one.
    hidden_layer_sizes : tuple of int
    activation : str
        Key of ``ACTIVATIONS``.
    dropout : float
    embedding_dim : int
        Dimension of the embeddings of categories.
    streams : dict of str to torch.Generator

    References
    ----------
    .. [1] Vincent et al. (2008), "Extracting and Composing Robust Features with Denoising
       Autoencoders", ICML.
    """

    rates: torch.Tensor

    def __init__(
        self,
        *,
        n_numeric,
        cardinalities,
        rates,
        baseline,
        gaussian,
        hidden_layer_sizes,
        activation,
        dropout,
        embedding_dim,
        streams,
    ):
        super().__init__()
        self.n_numeric, self.cardinalities = n_numeric, cardinalities
        self.noise_generator = streams["noise"]
        rates = torch.tensor(rates, dtype=torch.float32).clamp(min=_LEAST_RATE)
        self.register_buffer("rates", rates / rates.mean(), persistent=False)
        self.conditional = None if gaussian is None else GaussianConditional(*gaussian)
        options = {"generator": streams["weights"]}
        gaps = (True,) * len(cardinalities)  # as categories are hidden
        self.embedding = (
            CategoryEmbedding(cardinalities, embedding_dim, gaps=gaps, **options)
            if cardinalities
            else None
        )
        n_inputs = 2 * n_numeric + len(cardinalities) * embedding_dim
        n_outputs = n_numeric + sum(cardinalities)
        layers = CoderShape(
            n_inputs,
            n_outputs,
            hidden_layer_sizes,
            activation=activation,
            block="residual",
            dropout=dropout,
        )
        *trunk, self.head = make_encoder(layers, streams)
        self.trunk = nn.Sequential(*trunk)
        width = hidden_layer_sizes[-1] if hidden_layer_sizes else n_inputs
        self.linear = Linear(n_inputs, n_outputs, **options, bias=False)
        self.spread = Linear(width, n_numeric, **options) if n_numeric else None
        for layer in (self.head, self.linear, self.spread):
            for parameter in [] if layer is None else layer.parameters():
                nn.init.zeros_(parameter)
        with torch.no_grad():
            self.head.bias[n_numeric:] = torch.tensor(baseline, dtype=torch.float32)

    def predict(self, x):
        """Predict all entries from the observed ones; (batch, width) -> Prediction."""
        numbers, masks, codes = x.split(self._sizes(), dim=-1)
        base, log_scale = self._first_guess(numbers, masks)
        parts = [base, masks - 0.5]
        if self.embedding is not None:
            parts.append(self.embedding(codes))
        inputs = torch.cat(parts, dim=-1)
        z = self.trunk(inputs)
        outputs = self.head(z) + self.linear(inputs)
        mean, *logits = outputs.split((self.n_numeric, *self.cardinalities), dim=-1)
        if self.conditional is not None:
            mean = base + mean
        if self.spread is not None:  # learned beside the means, which must not depend on it
            log_scale = log_scale + self.spread(z.detach())
        return Prediction(mean, log_scale.clamp(*_LOG_SCALES), tuple(logits))

    def _first_guess(self, numbers, masks):
        """Means and logarithms of standard deviations of the numbers that the net corrects."""
        if self.conditional is None:
            return numbers, torch.zeros_like(numbers)
        means, variances = self.conditional(numbers, masks)
        smallest = math.exp(2 * _LOG_SCALES[0])
        return means, 0.5 * in_whole_vectors(torch.log, variances.clamp(min=smallest))

    def distribution(self, x):
        """(batch, width) -> (batch, 2 * n_numeric + sum of cardinalities), all of ``predict``."""
        mean, log_scale, logits = self.predict(x)
        return torch.cat([mean, log_scale, *logits], dim=-1)

    def complete(self, x):
        """Predict numbers and codes of the most probable categories, (batch, n_columns)."""
        return _most_probable(self.predict(x))

    def errors(self, x):
        """Sum and number of the losses of a sample's entries, each from the others, (batch, 2)."""
        output = self(x)
        numbers, categories, _ = errors(output, x)
        return torch.stack([numbers + categories, output.n_hidden], dim=-1).sum(dim=-3)

    def predict_each(self, x):
        """As ``complete``, but from the other entries of a sample; a part of them at a time."""
        output = self._predict_hidden(x, self._each_once(x))
        found = _most_probable(output.prediction)  # (passes, batch, n_columns)
        is_hidden = self._each_once(x).to(torch.bool)
        return torch.where(is_hidden, found, torch.zeros_like(found)).sum(dim=-3)

    def forward(self, x):
        """(batch, width) -> ImputerOutput."""
        hidden = self._draw_hidden(x) if self.training else self._each_once(x)
        return self._predict_hidden(x, hidden)

    def _predict_hidden(self, x, hidden):
        """Predict all entries while some are hidden, (passes, batch, n_columns)."""
        numbers, masks, codes = x.unsqueeze(-3).split(self._sizes(), dim=-1)
        seen = 1 - hidden
        seen_numbers, seen_codes = seen.split((self.n_numeric, len(self.cardinalities)), dim=-1)
        rows = torch.cat(
            [numbers * seen_numbers, masks * seen_numbers, codes * seen_codes], dim=-1
        )  # (passes, batch, width)
        n_passes = hidden.shape[-3]
        mean, log_scale, logits = self.predict(rows.flatten(-3, -2))
        prediction = Prediction(
            _unflatten(mean, n_passes),
            _unflatten(log_scale, n_passes),
            tuple(_unflatten(one, n_passes) for one in logits),
        )
        observed = torch.cat([masks, (codes > 0).to(x)], dim=-1)
        # Expected numbers: a loss divided by the number of entries that happen to be hidden would
        # weight them by the inverse of the number of others.
        shares = _MEAN_HIDDEN * self.rates.unsqueeze(-2).unsqueeze(-2) if self.training else hidden
        return ImputerOutput(prediction, hidden * observed, (shares * observed).sum(dim=-1))

    def _draw_hidden(self, x):
        """Draw a mask of entries to hide, (1, batch, n_columns)."""
        n_columns = len(self.cardinalities) + self.n_numeric
        like = x.new_empty((*x.shape[:-1], n_columns + 1))
        uniform = draw(_fill_uniform, like, 1.0, self.noise_generator, idle=0.0)
        mean_rate = _LEAST_HIDDEN + (_MOST_HIDDEN - _LEAST_HIDDEN) * uniform[..., -1:]
        hidden = uniform[..., :-1] < mean_rate * self.rates.unsqueeze(-2)
        return hidden.to(x).unsqueeze(-3)

    def _each_once(self, x):
        """Mask that hides each column in one of the passes, (passes, batch, n_columns)."""
        n_columns = len(self.cardinalities) + self.n_numeric
        passes = torch.arange(_N_PASSES, device=x.device).unsqueeze(-1)
        columns = torch.arange(n_columns, device=x.device)
        hidden = (columns % _N_PASSES == passes).to(x).unsqueeze(-2)
        return hidden.expand(*x.shape[:-2], _N_PASSES, x.shape[-2], n_columns)

    def _sizes(self):
        return self.n_numeric, self.n_numeric, len(self.cardinalities)


def _unflatten(rows, n_passes):
    """Split the rows by passes, (passes * batch, n) -> (passes, batch, n)."""
    return rows.unflatten(-2, (n_passes, -1))


def _most_probable(prediction):
    """Numbers and codes of the most probable categories, (..., n_columns)."""
    codes = [one.argmax(dim=-1, keepdim=True) + 1 for one in prediction.logits]
    return torch.cat([prediction.mean, *(one.to(prediction.mean) for one in codes)], dim=-1)


def loss_terms(output, batch, hyperparameters):
    """Losses by name, means over hidden entries: scalars, or one value for each net of a stack."""
    numbers, categories, spread = errors(output, batch.x)
    mean, _, logits = output.prediction
    terms = {"numbers": numbers, "spread": spread} if mean.shape[-1] else {}
    if logits:
        terms["categories"] = categories
    count = _weighted_mean(output.n_hidden, batch.weight).clamp(min=1e-6)
    return {name: _weighted_mean(term, batch.weight) / count for name, term in terms.items()}


def errors(output, x):
    """Losses of the predictions of hidden entries, three times (passes, batch).

    Squared errors of numbers, cross-entropies of categories, and negative log-likelihoods of the
    numbers, up to a constant.
    """
    mean, log_scale, logits = output.prediction
    n_numeric = mean.shape[-1]
    rows = x.unsqueeze(-3)  # (1, batch, width)
    of_numbers, of_codes = output.hidden[..., :n_numeric], output.hidden[..., n_numeric:]
    squares = (mean - rows[..., :n_numeric]).square()
    precision = in_whole_vectors(torch.exp, -2 * log_scale)
    likelihood = 0.5 * squares.detach() * precision + log_scale
    codes = rows[..., 2 * n_numeric :].expand_as(of_codes).long().clamp(min=1) - 1
    entropy = output.hidden.new_zeros(output.hidden.shape[:-1])
    for place, one in enumerate(logits):
        entropy = entropy + of_codes[..., place] * losses.cross_entropy(one, codes[..., place])
    return (of_numbers * squares).sum(dim=-1), entropy, (of_numbers * likelihood).sum(dim=-1)


def _weighted_mean(values, weight):
    """Sum over passes and mean over rows, (passes, batch) -> scalar."""
    values = values.sum(dim=-2)
    return losses.mean_over_rows(values if weight is None else weight * values)
