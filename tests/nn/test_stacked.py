"""Stacks of modules: each member does what the module does by itself."""

from functools import partial

import pytest
import torch

from skdeep.nn._autoencoder import AutoencoderModule
from skdeep.nn._coder import CoderShape
from skdeep.nn._resnet import ResNet, make_trunk
from skdeep.nn._stacked import (
    StackedWeights,
    has_twins,
    signature,
    stack_modules,
)
from skdeep.nn._variational import VariationalModule
from skdeep.utils._random import make_streams

N_FEATURES = 12
IMAGE_SHAPE = (1, 8, 8)
COLUMNS = {
    "n_numeric": 4,
    "n_indicators": 1,
    "cardinalities": (3, 2),
    "gaps": (True, False),
    "embedding_dim": 4,
    "numerical_embedding": None,
    "frequency_scale": 0.1,
    "bins": ((-1.0, 0.0, 1.0),) * 4,
}
TRUNK = {
    "n_blocks": 2,
    "dropout": 0.0,
    "residual_dropout": 0.0,
    "norm": "batch",
    "activation": "relu",
}


def normal(*shape, seed=0):
    return torch.empty(*shape).normal_(generator=torch.Generator().manual_seed(seed))


def coder(Module, seed=0, *, shape, **options):
    n_features = 64 if "image_shape" in shape else N_FEATURES
    shape = CoderShape(**{"n_features": n_features, "n_components": 3, **shape})
    return Module(shape, make_streams(seed), **options)


def autoencoder(*, noise=0.0, noise_kind="gaussian", contractive=False, **shape):
    """Function from a seed to an autoencoder of that shape."""
    shape = {"hidden_layer_sizes": (10, 6), **shape}
    options = {"noise": noise, "noise_kind": noise_kind, "contractive": contractive}
    return partial(coder, AutoencoderModule, shape=shape, **options)


def variational(**options):
    return partial(coder, VariationalModule, shape={"hidden_layer_sizes": (10,)}, **options)


def resnet(seed=0, **options):
    """Residual net for tables, or for images where the options have their shape."""
    is_image = "image_shape" in options
    sizes = {"stem_width": 4, "augment": None} if is_image else {"width": 8, "hidden_factor": 2.0}
    options = {**TRUNK, **({} if is_image else COLUMNS), **sizes, **options}
    streams = make_streams(seed)
    net = ResNet(make_trunk(options, streams), (0.1, -0.2, 0.3), generator=streams["weights"])
    net.head.reset_parameters(streams["weights"])  # zeros would hide the trunk
    return net


def table(**options):
    return partial(resnet, **options)


def image(**options):
    return partial(resnet, image_shape=IMAGE_SHAPE, **options)


DENSE = {
    "linear": autoencoder(hidden_layer_sizes=()),
    "dense": autoencoder(),
    "one unit": autoencoder(hidden_layer_sizes=(1,)),
    "residual": autoencoder(block="residual"),
    "tied": autoencoder(tied_weights=True),
    "dropout": autoencoder(dropout=0.3),
    "gaussian noise": autoencoder(noise=0.5),
    "masking noise": autoencoder(noise=0.3, noise_kind="masking"),
    "contractive": autoencoder(contractive=True, activation="tanh"),
    "variational": variational(),
    "variational, two draws": variational(n_samples=2),
    "variational, fixed scale": variational(log_scale=(0.5,)),
    "variational, bernoulli": variational(likelihood="bernoulli"),
    "table, layer norm": table(norm="layer"),
    "table, dropout": table(norm="layer", dropout=0.3, residual_dropout=0.2),
    "table, numbers only": table(norm="layer", n_indicators=0, cardinalities=(), n_numeric=7),
    "table, periodic": table(norm="layer", numerical_embedding="periodic"),
    "table, piecewise-linear": table(norm="layer", numerical_embedding="piecewise-linear"),
}
BATCH_NORM = {
    "batch norm": autoencoder(batch_norm=True),
    "residual, batch norm": autoencoder(block="residual", batch_norm=True, dropout=0.2),
    "tied, batch norm": autoencoder(tied_weights=True, batch_norm=True),
    "table, batch norm": table(dropout=0.1),
}
IMAGES = {
    "image autoencoder": autoencoder(hidden_layer_sizes=(4, 6), image_shape=IMAGE_SHAPE),
    "residual image autoencoder": autoencoder(
        hidden_layer_sizes=(4,), image_shape=IMAGE_SHAPE, block="residual", batch_norm=True
    ),
    "image": image(n_blocks=1),
    "image, layer norm": image(n_blocks=1, norm="layer", dropout=0.2, residual_dropout=0.1),
    "image, augmented": image(n_blocks=1, augment="shift+flip"),
}


def own_rows(x):
    """Rows of each member in memory of their own: products depend on where it starts."""
    return [rows.clone() for rows in x]


def rows_of(name, *, n_members=3, n_rows=9):
    """Other rows for each member."""
    if name in IMAGES:
        return normal(n_members, n_rows, 64)
    if not name.startswith("table"):
        return normal(n_members, n_rows, N_FEATURES)
    if name == "table, numbers only":
        return normal(n_members, n_rows, 7)
    numbers = torch.arange(n_members * n_rows).view(n_members, n_rows, 1)
    marks_and_codes = numbers % torch.tensor([2, 4, 3])
    return torch.cat([normal(n_members, n_rows, 4), marks_and_codes.float()], dim=2)


def make_stack(modules):
    """Stack, its parameters, and all weights of the members."""
    weights = StackedWeights(modules)
    tensors = weights.tensors(0, len(modules))
    return stack_modules(modules, tensors), list(tensors.parameters.values()), weights


def tensors_of(output):
    """Tensors of what a module gives."""
    return [output] if isinstance(output, torch.Tensor) else [t for t in output if t is not None]


def generators_of(module):
    return [
        value.get_state()
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, torch.Generator)
    ]


def assert_equal(actual, expected, *, exactly=True):
    tolerance = {"rtol": 0, "atol": 0} if exactly else {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(actual, expected, **tolerance)


def assert_outputs_equal(together, alone, **tolerance):
    outputs = tensors_of(together)
    for number, output in enumerate(alone):
        own = tensors_of(output)
        assert len(outputs) == len(own)
        for stacked, expected in zip(outputs, own, strict=True):
            assert_equal(stacked[number], expected, **tolerance)


def forward_twice(name, make, training):
    """Outputs of a stack and of its members' twins behind a first batch in training."""
    alone = [make(seed) for seed in range(3)]
    members = [make(seed) for seed in range(3)]
    stack, _, _ = make_stack(members)
    x = rows_of(name)
    for module in [stack, *alone]:
        module.train()
    stack(x), [module(rows) for module, rows in zip(alone, own_rows(x), strict=True)]
    for module in [stack, *alone]:
        module.train(training)
    expected = [module(rows) for module, rows in zip(alone, own_rows(x), strict=True)]
    return stack(x), expected, members, alone


def each(kinds):
    return pytest.mark.parametrize("name, make", kinds.items(), ids=kinds)


each_mode = pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])


# What comes out ----------------------------------------------------------------------------


@each_mode
@each({**DENSE, **BATCH_NORM})
def test_stack_gives_what_each_member_gives_to_the_last_bit(name, make, training):
    together, expected, _, _ = forward_twice(name, make, training)
    assert_outputs_equal(together, expected)


@each_mode
@each(IMAGES)
def test_stack_of_image_nets_gives_what_each_member_gives(name, make, training):
    together, expected, _, _ = forward_twice(name, make, training)
    assert_outputs_equal(together, expected, exactly=False)


@each({**DENSE, **BATCH_NORM, **IMAGES})
def test_stack_leaves_statistics_and_generators_as_its_members_would(name, make):
    _, _, members, alone = forward_twice(name, make, training=True)
    for member, expected in zip(members, alone, strict=True):
        buffers = dict(expected.named_buffers())
        for key, value in member.named_buffers():
            assert_equal(value, buffers[key], exactly=name not in IMAGES)
        assert_equal(generators_of(member), generators_of(expected))


@each({**DENSE, **BATCH_NORM, **IMAGES})
def test_gradients_of_a_stack_are_those_of_its_members(name, make):
    alone = [make(seed) for seed in range(3)]
    stack, leaves, _ = make_stack([make(seed) for seed in range(3)])
    x = rows_of(name)
    gradients = torch.autograd.grad(_loss(stack.train()(x)), leaves)
    for number, module in enumerate(alone):
        _loss(module.train()(x[number])).backward()
        for (key, parameter), gradient in zip(module.named_parameters(), gradients, strict=True):
            torch.testing.assert_close(
                gradient[number], parameter.grad, rtol=1e-4, atol=1e-5, msg=key
            )


def _loss(output):
    return sum(tensor.square().sum() for tensor in tensors_of(output))


@pytest.mark.parametrize("n_members", [1, 2, 7])
@pytest.mark.parametrize("n_rows", [1, 2, 33])
def test_any_number_of_members_and_rows_can_be_stacked(n_members, n_rows):
    make = autoencoder(hidden_layer_sizes=(40,), batch_norm=True, dropout=0.2)
    alone = [make(seed) for seed in range(n_members)]
    stack, _, _ = make_stack([make(seed) for seed in range(n_members)])
    x = normal(n_members, n_rows, N_FEATURES)
    assert_outputs_equal(
        stack(x), [module(rows) for module, rows in zip(alone, own_rows(x), strict=True)]
    )


@pytest.mark.parametrize(
    "make, settings",
    [
        (autoencoder, [{"noise": amount} for amount in (0.0, 0.2, 0.5)]),
        (autoencoder, [{"noise": one, "noise_kind": "masking"} for one in (0.3, 0.0, 0.5)]),
        (table, [{"residual_dropout": 0.4}, {"dropout": 0.5}, {"dropout": 0.1}]),
    ],
    ids=["gaussian", "masking", "dropout"],
)
def test_members_have_noise_of_their_own_amount_and_without_it_draw_nothing(make, settings):
    alone, members = (
        [make(**options)(seed) for seed, options in enumerate(settings)] for _ in range(2)
    )
    stack, _, _ = make_stack(members)
    x = rows_of("table" if make is table else "dense")
    assert_outputs_equal(
        stack(x), [module(rows) for module, rows in zip(alone, own_rows(x), strict=True)]
    )
    for member, expected in zip(members, alone, strict=True):
        assert_equal(generators_of(member), generators_of(expected))


def test_stack_draws_from_no_global_generator():
    state = torch.get_rng_state()
    make = autoencoder(noise=0.3, dropout=0.3)
    stack, _, _ = make_stack([make(seed) for seed in range(3)])
    stack(rows_of("dropout"))
    assert torch.equal(torch.get_rng_state(), state)


# Memory ------------------------------------------------------------------------------------


def test_members_see_what_the_stack_learns():
    members = [autoencoder(batch_norm=True)(seed) for seed in range(3)]
    stack, _, weights = make_stack(members)
    x = rows_of("batch norm")
    with torch.no_grad():
        weights.flat.mul_(torch.tensor([[1.0], [2.0], [3.0]]))
    stack.train()(x)
    alone = [member.eval()(rows) for member, rows in zip(members, x, strict=True)]
    assert_outputs_equal(stack.eval()(x), alone)
    untouched = autoencoder(batch_norm=True)(1).state_dict()
    for name, parameter in members[1].named_parameters():
        assert torch.equal(parameter, 2 * untouched[name])


def test_released_members_have_memory_of_their_own():
    members = [autoencoder(batch_norm=True)(seed) for seed in range(3)]
    stack, _, weights = make_stack(members)
    stack(rows_of("batch norm"))
    expected = {name: tensor.clone() for name, tensor in members[0].state_dict().items()}
    for member in members:
        StackedWeights.release(member)
    with torch.no_grad():
        weights.flat.zero_()
    assert_equal(dict(members[0].state_dict()), expected)
    for tensor in members[0].state_dict().values():
        assert tensor.untyped_storage().nbytes() == tensor.nbytes


def test_a_released_member_can_be_stacked_again():
    members = [autoencoder()(seed) for seed in range(3)]
    make_stack(members)
    for member in members:
        StackedWeights.release(member)
    stack, _, _ = make_stack(members[1:])
    x = rows_of("dense")[1:]
    assert_outputs_equal(stack(x), [autoencoder()(seed)(x[seed - 1]) for seed in (1, 2)])


# Which modules can be stacked --------------------------------------------------------------


@pytest.mark.parametrize(
    "make, others",
    [
        (autoencoder, [{"noise": 0.5}, {"noise": 0.1}, {"noise": 0}]),
        (autoencoder, [{"dropout": 0.1}, {"dropout": 0.5}]),
        (table, [{"dropout": 0.0}, {"dropout": 0.5}, {"residual_dropout": 0.5}]),
        (image, [{"dropout": 0.0}, {"dropout": 0.5}, {"residual_dropout": 0.5}]),
    ],
)
def test_signature_is_the_same_for_other_seeds_noise_and_rates(make, others):
    signatures = {signature(make(**one)(seed)) for seed, one in enumerate(others)}
    assert len(signatures) == 1


CODER_SETTINGS = [
    {},
    {"hidden_layer_sizes": (10, 7)},
    {"hidden_layer_sizes": (10,)},
    {"n_components": 4},
    {"n_features": 13},
    {"activation": "tanh"},
    {"block": "residual"},
    {"batch_norm": True},
    {"tied_weights": True},
    {"dropout": 0.1},
    {"contractive": True},
    {"noise_kind": "masking"},
]
VARIATIONAL_SETTINGS = [{}, {"n_samples": 2}, {"likelihood": "bernoulli"}, {"log_scale": (0.1,)}]
TABLE_SETTINGS = [
    {},
    {"width": 9},
    {"n_blocks": 1},
    {"hidden_factor": 1.0},
    {"norm": "layer"},
    {"activation": "gelu"},
    {"gaps": (True, True)},
    {"cardinalities": (2, 3)},
    {"numerical_embedding": "periodic"},
]
IMAGE_SETTINGS = [{}, {"augment": "shift"}, {"augment": "shift+flip"}, {"stem_width": 5}]


@pytest.mark.parametrize(
    "make, settings",
    [
        (autoencoder, CODER_SETTINGS),
        (variational, VARIATIONAL_SETTINGS),
        (table, TABLE_SETTINGS),
        (image, IMAGE_SETTINGS),
    ],
    ids=["autoencoder", "variational", "table", "image"],
)
def test_signature_differs_for_other_shapes_and_settings(make, settings):
    signatures = {signature(make(**one)(0)) for one in settings}
    assert len(signatures) == len(settings)


@each({**DENSE, **BATCH_NORM, **IMAGES})
def test_dense_nets_have_layers_for_stacks_and_image_nets_have_not(name, make):
    is_mapped = name in IMAGES or name in ("table, periodic", "table, piecewise-linear")
    assert has_twins(make(0)) is not is_mapped
