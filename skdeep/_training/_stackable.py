"""Which nets can be trained as one stack, and how many of them."""

import torch

from skdeep._training._callbacks import DivergenceGuard, EarlyStopping, EpochEnd, EpochTasks
from skdeep._training._data import TensorRows
from skdeep._training._net import TrainingNet
from skdeep._training._stacked_optim import can_be_stacked
from skdeep.nn._autoencoder_ensemble import AutoencoderEnsemble
from skdeep.nn._stacked import has_twins, signature, sums_in_order

# Multiply-adds per step above which a single net makes full use of a CPU
# (benchmarks/batched_search.py, --border).
_LARGE_NET = 5e6
# Number of values in the widest layers of all nets of a stack, which should fit in a CPU's caches.
_CACHED = 2**18
# Nets in a stack: fewer than the minimum save little time, more than the maximum none on a CPU.
_LEAST, _MOST = 4, 32
# Fraction of a GPU's free memory for the weights of a stack, their gradients and moments.
_GPU_SHARE = 0.25


def reason_to_train_alone(run, max_models="auto"):
    """Return why a net is trained on its own rather than in a stack; None if it can be stacked.

    Parameters
    ----------
    run : Run
    max_models : int or "auto"
        With ``"auto"``, nets that would be slower in a stack are trained on their own, too.
    """
    net = run.net
    if max_models == 1:
        return "max_batch_models=1"
    if type(net) is not TrainingNet:
        return "its training has steps of its own"
    if isinstance(net.module_, AutoencoderEnsemble):
        return "it is a stack of nets itself"
    has_phases = net.phase is not None or net.on_step is not None
    if has_phases and not net.criterion_.is_stackable:
        return "its training has phases"
    if not isinstance(run.rows, TensorRows):
        return "its samples are read batch by batch"
    if net.trunk_lr is not None:
        return "its trunk has a learning rate of its own"
    if net.compile or net.precision != "float32":
        return "it uses compile or precision"
    if not can_be_stacked(net.optimizer_):
        return "its optimizer is not 'adamw', 'adam' or 'sgd'"
    if net.verbose or any(not _is_stackable(callback) for _, callback in net.callbacks_):
        return "it has callbacks or verbose output"
    if net.device == "cpu" and not sums_in_order(net.module_):
        return "its contractive penalty would be summed in a different order"
    if max_models == "auto" and net.device == "cpu":
        if not has_twins(net.module_):
            return "it has layers that are not faster in a stack on a CPU"
        if _size(net) * net.batch_rows(run.rows) > _LARGE_NET:
            return "it is large enough to make full use of a CPU on its own"
    return None


def _size(net):
    return sum(parameter.numel() for parameter in net.module_.parameters())


def stack_limit(run):
    """Return the maximum number of nets in a stack that fits in the caches or in memory."""
    net = run.net
    if net.device == "cpu":
        shapes = [parameter.shape for parameter in net.module_.parameters()]
        width = max((max(shape) for shape in shapes if len(shape) == 2), default=1)
        limit = _CACHED // (net.batch_rows(run.rows) * width)
        return max(_LEAST, min(_MOST, limit))
    if net.device.startswith("cuda"):
        free = torch.cuda.mem_get_info(net.device)[0]
        batch = net.batch_rows(run.rows) * _activations(net, run.rows)
        return max(1, int(_GPU_SHARE * free / (4 * (4 * _size(net) + 4 * batch))))
    return _MOST


def _activations(net, rows):
    """Count the input features and the outputs of all layers of a net for one sample."""
    module, batch = net.module_, rows.fetch(rows.place(torch.zeros(1, dtype=torch.long)))
    sizes = [batch.x.numel()]

    def count(layer, inputs, output):
        sizes.append(output.numel())

    layers = [layer for layer in module.modules() if next(layer.children(), None) is None]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    generators = _generators(module)
    states = [generator.get_state() for generator in generators]
    was_training = module.training
    with torch.enable_grad():  # views may follow gradients
        net.criterion_.output(module.eval(), batch)
    module.train(was_training)
    for generator, state in zip(generators, states, strict=True):
        generator.set_state(state)
    for hook in hooks:
        hook.remove()
    return sum(sizes)


def _generators(module):
    """Return the generators of random numbers of a module."""
    values = [value for part in module.modules() for value in vars(part).values()]
    return [value for value in values if isinstance(value, torch.Generator)]


def _is_stackable(callback):
    is_timer = type(callback).__name__ == "EpochTimer"
    ours = DivergenceGuard | EarlyStopping | EpochEnd | EpochTasks
    return is_timer or isinstance(callback, ours)


def run_signature(run):
    """Return a hashable description that must be equal for runs that are trained together."""
    net, rows, valid_rows = run.net, run.rows, run.valid_rows
    objective = net.criterion_
    shared = {
        name: value
        for name, value in objective.hyperparameters.items()
        if name not in objective.lifted
    }
    return (
        signature(net.module_),
        objective.loss_terms,
        repr(sorted(shared.items())),
        tuple(sorted(objective.hyperparameters)),
        type(net.optimizer_),
        net.device,
        _layout(rows, net),
        None if valid_rows is None else _layout(valid_rows, net, training=False),
        net.gradient_clip_value is None,
    )


def _layout(rows, net, *, training=True):
    y = None if rows.y is None else (rows.y.dtype, rows.y.shape[1:])
    return net.n_batches(rows, training=training), rows.x.shape[1], y, rows.weight is None
