"""Input layer of tables: embeddings of numbers and of categories."""

import numpy as np
import pytest
import rtdl_num_embeddings as rtdl
import torch

from skdeep.nn._table import NUMERICAL_EMBEDDINGS, CategoryEmbedding, TableInput

EDGES = ((-2.0, -0.5, 0.5, 2.0), (-1.0, 0.0, 1.0))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make_input(kind=None, *, n_numeric=2, n_indicators=0, cardinalities=(), bins=EDGES, seed=0):
    return TableInput(
        n_numeric=n_numeric,
        n_indicators=n_indicators,
        cardinalities=cardinalities,
        gaps=(False,) * len(cardinalities),
        embedding_dim=5,
        numerical_embedding=kind,
        frequency_scale=0.3,
        bins=bins,
        generator=generator(seed),
    )


# Categories --------------------------------------------------------------------------------


def test_each_category_of_each_feature_has_a_vector_of_its_own():
    layer = CategoryEmbedding((2, 3), 4, gaps=(True, True), generator=generator())
    codes = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [2.0, 3.0]])
    vectors = layer(codes).reshape(4, 2, 4)
    distinct = [*vectors[1:3, 0], *vectors[1:, 1]]
    assert all(
        not torch.equal(one, other)
        for number, one in enumerate(distinct)
        for other in distinct[:number]
    )
    assert torch.equal(vectors[2, 0], vectors[3, 0])


def test_code_zero_has_the_vector_zero_at_first_and_learns_only_from_its_rows():
    layer = CategoryEmbedding((2, 3), 4, gaps=(True, True), generator=generator())
    unknown = torch.zeros(1, 2)
    assert torch.equal(layer(unknown), torch.zeros(1, 8))
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    layer(torch.tensor([[1.0, 0.0]])).sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(layer(unknown).detach(), [[0] * 4 + [-1] * 4])


def test_code_zero_is_the_mean_of_the_others_where_training_has_no_gaps():
    layer = CategoryEmbedding((2, 3), 4, gaps=(True, False), generator=generator()).eval()
    known = layer(torch.tensor([[1.0, 1.0], [2.0, 2.0], [1.0, 3.0]]))[:, 4:]
    unknown = layer(torch.zeros(1, 2))[0].detach()
    np.testing.assert_array_equal(unknown[:4], np.zeros(4))
    np.testing.assert_allclose(unknown[4:], known.mean(dim=0).detach(), rtol=1e-6)


def test_category_vectors_are_uniform_in_plus_minus_one_by_the_root_of_their_length():
    layer = CategoryEmbedding((20_000,), 4, gaps=(False,), generator=generator(3))
    vectors = layer(torch.arange(1, 20_001)[:, None].float()).detach()
    assert 0.499 < vectors.abs().max() <= 0.5
    # 80,000 draws: standard error of the mean 0.001, of the deviation 0.0007
    assert vectors.mean() == pytest.approx(0.0, abs=0.005)
    assert vectors.std() == pytest.approx(0.5 / np.sqrt(3), abs=0.003)
    again = CategoryEmbedding((20_000,), 4, gaps=(False,), generator=generator(3))
    assert torch.equal(again.weight, layer.weight)


# Whole input -------------------------------------------------------------------------------


def test_numbers_alone_pass_unchanged():
    x = torch.randn(3, 4, generator=generator())
    layer = make_input(n_numeric=3, n_indicators=1)
    assert layer.out_features == 4
    assert torch.equal(layer(x), x)


@pytest.mark.parametrize("kind", [None, *NUMERICAL_EMBEDDINGS])
@pytest.mark.parametrize("cardinalities", [(), (3, 2)])
@pytest.mark.parametrize("n_indicators", [0, 1])
def test_output_is_numbers_then_marks_then_categories(n_indicators, cardinalities, kind):
    layer = make_input(kind, n_indicators=n_indicators, cardinalities=cardinalities)
    numbers = torch.randn(4, 2, generator=generator(1))
    marks = torch.ones(4, n_indicators)
    codes = torch.tensor([[1.0, 2.0]] * 4)[:, : len(cardinalities)]
    result = layer(torch.cat([numbers, marks, codes], dim=1))
    width = 2 if kind is None else 10
    assert result.shape == (4, width + n_indicators + 5 * len(cardinalities))
    assert result.shape[1] == layer.out_features
    assert torch.equal(result[:, width : width + n_indicators], marks)
    if kind is None:
        assert torch.equal(result[:, :2], numbers)
    if cardinalities:
        expected = layer.categorical(codes)
        assert torch.equal(result[:, width + n_indicators :], expected)


@pytest.mark.parametrize("kind", NUMERICAL_EMBEDDINGS)
def test_table_without_numbers_needs_no_embedding_of_them(kind):
    layer = make_input(kind, n_numeric=0, cardinalities=(3,), bins=())
    assert layer(torch.ones(2, 1)).shape == (2, 5)


# Embeddings of numbers ---------------------------------------------------------------------


def reference(kind, seed):
    """The authors' own layer, with torch's generator at that seed, eight numbers wide."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if kind == "periodic":
            return rtdl.PeriodicEmbeddings(2, 8, frequency_init_scale=0.3, lite=False)
        edges = [torch.tensor(column) for column in EDGES]
        return rtdl.PiecewiseLinearEmbeddings(edges, 8, activation=False, version="B")


@pytest.mark.parametrize("kind", NUMERICAL_EMBEDDINGS)
def test_embedding_of_numbers_is_the_authors_with_weights_from_the_generator(kind):
    state = torch.get_rng_state()
    layer = make_input(kind, seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    x = torch.randn(6, 2, generator=generator(1))
    expected = reference(kind, seed=7)(x)[:, :, :5]  # of which five are used
    assert torch.equal(layer(x), expected.flatten(1))
    assert not torch.equal(layer(x), make_input(kind, seed=8)(x))


def test_piecewise_linear_embedding_is_linear_within_a_bin_and_bends_at_its_edges():
    layer = make_input("piecewise-linear")
    for number, parameter in enumerate(layer.parameters()):
        torch.nn.init.normal_(parameter, generator=generator(number))
    x = torch.tensor([-0.5, 0.0, 0.5, 1.0, 1.5])  # two steps inside of a bin of the first feature
    vectors = layer(torch.stack([x, torch.zeros(5)], dim=1))[:, :5].detach().numpy()
    bends = np.abs(np.diff(vectors, n=2, axis=0)).max(axis=1)
    np.testing.assert_allclose(bends[[0, 2]], 0, atol=1e-5)
    assert bends[1] > 0.1


def test_periodic_embedding_tells_apart_numbers_that_lie_close_and_frequencies_scale():
    def distance(frequency_scale):
        layer = TableInput(
            n_numeric=1,
            n_indicators=0,
            cardinalities=(),
            gaps=(),
            embedding_dim=5,
            numerical_embedding="periodic",
            frequency_scale=frequency_scale,
            bins=(),
            generator=generator(),
        )
        return (layer(torch.tensor([[0.0]])) - layer(torch.tensor([[0.01]]))).norm().item()

    assert distance(1.0) > 3 * distance(0.1) > 9 * distance(0.01)
