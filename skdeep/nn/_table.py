"""Input layer for tables: embeddings of numerical and categorical features."""

import math

import rtdl_num_embeddings as rtdl
import torch
from torch import nn
from torch.nn import functional as F

from skdeep.nn._draw import DrawFrom
from skdeep.nn._linear import init_uniform

# With a multiple of this many columns, the product in periodic embeddings does not depend on the
# other rows; with 5 or 10 columns it does.
_DIM_MULTIPLE = 8

#: Embeddings of numerical features by name.
NUMERICAL_EMBEDDINGS = ("periodic", "piecewise-linear")


def _make_numerical_embedding(kind, n_numeric, dim, frequency_scale, bins, generator):
    """Make a module (batch, n_numeric) -> (batch, n_numeric, at least dim)."""
    if kind == "piecewise-linear":
        return PiecewiseLinearEmbeddings(bins, dim, generator=generator)
    padded_dim = -(-dim // _DIM_MULTIPLE) * _DIM_MULTIPLE
    with DrawFrom(generator):
        return rtdl.PeriodicEmbeddings(
            n_numeric, padded_dim, frequency_init_scale=frequency_scale, lite=False
        )


class PiecewiseLinearEmbeddings(nn.Module):
    """Linear and piecewise linear embeddings of numerical features, summed.

    The piecewise linear part is zero at first, and constant outside the outer edges of the bins.

    **Shape**: (..., batch, n_numeric) -> (..., batch, n_numeric, dim)

    Parameters
    ----------
    bins : sequence of sequence of float
        Edges of the bins of each feature, at least two, ascending.
    dim : int
        Dimension of the embeddings.
    generator : torch.Generator
        Source of the initial linear part, uniform in ``+-1/sqrt(dim)``.

    References
    ----------
    .. [1] Gorishniy et al. (2022), "On Embeddings for Numerical Features in Tabular Deep
       Learning", NeurIPS, with the linear part of Gorishniy et al. (2025), "TabM", ICLR.
    """

    # NOTE[DIFF]: In the original, the first and last bins have no outer edge. If they are narrow,
    # values slightly outside the range of the training data have huge embeddings. It also
    # multiplies the weights of all bins by an encoding, which is 1 for the bins below a value and 0
    # for those above it. Here the cumulative sums of the weights are looked up.

    inner_edges: torch.Tensor
    edges_and_scales: torch.Tensor

    def __init__(self, bins, dim, *, generator):
        super().__init__()
        n_bins = max(map(len, bins)) - 1
        inner_edges = torch.full((len(bins), n_bins - 1), torch.inf, dtype=torch.float32)
        scaling = torch.zeros(len(bins), n_bins, 2, dtype=torch.float32)
        for number, column in enumerate(bins):
            edges = torch.tensor(column, dtype=torch.float32)
            inner_edges[number, : len(edges) - 2] = edges[1:-1]
            scaling[number, : len(edges) - 1] = torch.stack([edges[:-1], 1 / edges.diff()], dim=1)
        #: (n_numeric, n_bins - 1), filled with infinity
        self.register_buffer("inner_edges", inner_edges, persistent=False)
        #: (n_numeric, n_bins, 2), lower edges and reciprocal widths
        self.register_buffer("edges_and_scales", scaling, persistent=False)
        self.slope = nn.Parameter(torch.empty(len(bins), dim, dtype=torch.float32))
        self.bias = nn.Parameter(torch.empty(len(bins), dim, dtype=torch.float32))
        init_uniform(dim, generator, self.slope, self.bias)
        shape = (len(bins), n_bins, dim)
        self.weight = nn.Parameter(torch.zeros(shape, dtype=torch.float32))

    def forward(self, x):
        """(..., batch, n_numeric) -> (..., batch, n_numeric, dim)."""
        bins = _find_bins(x, self.inner_edges)
        edge, scale = F.embedding(bins, self.edges_and_scales.flatten(0, -2)).unbind(-1)
        missing = 1.0 - ((x - edge) * scale).clamp(0.0, 1.0)  # fraction of the bin above x
        sums = F.embedding(bins, self.weight.cumsum(dim=-2).flatten(0, -2))
        last = F.embedding(bins, self.weight.flatten(0, -2))
        linear = x.unsqueeze(-1) * self.slope.unsqueeze(-3) + self.bias.unsqueeze(-3)
        return linear + (sums - missing.unsqueeze(-1) * last)


def _find_bins(x, inner_edges):
    """Return the bin of each value, numbered across all features and members of a stack.

    Parameters
    ----------
    x : Tensor, shape (..., batch, n_numeric)
    inner_edges : Tensor, shape (..., n_numeric, n_bins - 1)
    """
    if torch.compiler.is_compiling():  # ONNX has no search in sorted values
        bins = (x.unsqueeze(-1) >= inner_edges).sum(dim=-1, dtype=torch.int32)
    else:
        bins = torch.searchsorted(inner_edges, x.mT.contiguous(), right=True).mT
    *stack, n_numeric, n_edges = inner_edges.shape
    n_features = math.prod(stack) * n_numeric
    offsets = torch.arange(n_features, device=x.device) * (n_edges + 1)
    return bins + offsets.view(*stack, 1, n_numeric)


class CategoryEmbedding(nn.Module):
    """One learned vector for each category of each categorical feature [1]_.

    Code 0 represents missing and unknown categories. Its vector is learned if the training data
    has any, also if they first occur in continued training; otherwise it is the mean of the others.

    **Shape**: (batch, n_categorical) codes -> (batch, n_categorical * dim)

    Parameters
    ----------
    cardinalities : tuple of int
        Number of categories of each feature, without code 0.
    dim : int
        Dimension of the vectors.
    gaps : tuple of bool
        Whether the training data has missing categories, for each feature.
    generator : torch.Generator
        Source of the initial vectors, uniform in ``+-1/sqrt(dim)``.

    References
    ----------
    .. [1] Guo and Berkhahn (2016), "Entity Embeddings of Categorical Variables",
       arXiv:1604.06737.
    """

    offsets: torch.Tensor

    def __init__(self, cardinalities, dim, *, gaps, generator):
        super().__init__()
        self.cardinalities, self.gaps = cardinalities, gaps
        sizes = torch.tensor(cardinalities) + 1
        offsets = sizes.cumsum(0) - sizes
        self.register_buffer("offsets", offsets, persistent=False)
        self.weight = nn.Parameter(torch.empty(int(sizes.sum()), dim, dtype=torch.float32))
        init_uniform(dim, generator, self.weight)
        with torch.no_grad():
            self.weight[offsets] = 0.0

    def _with_means(self):
        """Return the vectors of all features, with means for code 0 if it was not learned."""
        weight = self.weight.clone()
        start = 0
        for size, has_gap in zip(self.cardinalities, self.gaps, strict=True):
            if size and not has_gap:
                vector, mean = weight[start], self.weight[start + 1 : start + 1 + size].mean(dim=0)
                # no longer zero if it first occurred in continued training
                weight[start] = torch.where(vector.any(), vector, mean)
            start += 1 + size
        return weight

    def forward(self, codes):
        """(batch, n_categorical) -> (batch, n_categorical * dim)."""
        weight = self.weight if self.training else self._with_means()
        vectors = F.embedding(codes.long() + self.offsets, weight)
        return vectors.flatten(1)  # (batch, n_categorical, dim) -> (batch, n_categorical * dim)


class TableInput(nn.Module):
    """Concatenates numerical features, missing indicators and embedded categories.

    With ``numerical_embedding``, the embeddings of the numerical features are added to them.

    **Shape**: (batch, n_numeric + n_indicators + n_categorical) -> (batch, ``out_features``)

    Parameters
    ----------
    n_numeric, n_indicators : int
        Number of numerical columns, which come first, and of missing indicators after them.
    cardinalities : tuple of int
        Number of categories of each of the following columns.
    gaps : tuple of bool
        Whether the training data has missing categories in these columns.
    embedding_dim : int
        Dimension of the embeddings of categories and, with ``numerical_embedding``, of numbers.
    numerical_embedding : {"periodic", "piecewise-linear"} or None
        Embedding of numerical features [1]_; None for none.
    frequency_scale : float
        Standard deviation of the initial frequencies of ``"periodic"``.
    bins : tuple of tuple of float
        Bin edges of ``"piecewise-linear"``, in scaled units.
    generator : torch.Generator

    References
    ----------
    .. [1] Gorishniy et al. (2022), "On Embeddings for Numerical Features in Tabular Deep
       Learning", NeurIPS.
    """

    def __init__(
        self,
        *,
        n_numeric,
        n_indicators,
        cardinalities,
        gaps,
        embedding_dim,
        numerical_embedding,
        frequency_scale,
        bins,
        generator,
    ):
        super().__init__()
        self.sizes = (n_numeric, n_indicators, len(cardinalities))
        self.embedding_dim = embedding_dim
        self.numerical = None
        numeric_width = n_numeric
        if numerical_embedding is not None and n_numeric:
            self.numerical = _make_numerical_embedding(
                numerical_embedding, n_numeric, embedding_dim, frequency_scale, bins, generator
            )
            numeric_width = n_numeric * (embedding_dim + 1)
        self.categorical = (
            CategoryEmbedding(cardinalities, embedding_dim, gaps=gaps, generator=generator)
            if cardinalities
            else None
        )
        self.out_features = numeric_width + n_indicators + len(cardinalities) * embedding_dim

    def forward(self, x):
        """(batch, n_columns) -> (batch, out_features)."""
        if self.numerical is None and self.categorical is None:
            return x
        numbers, indicators, codes = x.split(self.sizes, dim=-1)
        if self.numerical is not None:
            vectors = self.numerical(numbers)[..., : self.embedding_dim]
            embedded = vectors.flatten(-2)  # (batch, n_numeric * embedding_dim)
            numbers = torch.cat([numbers, embedded], dim=-1)
        if self.categorical is not None:
            codes = self.categorical(codes)
        return torch.cat([numbers, indicators, codes], dim=-1)
