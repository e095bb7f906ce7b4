"""One optimizer for the weights of K nets."""

import functools

import torch

from skdeep._training._optim import OPTIMIZERS, make_schedule

# Kernels of torch's fused optimizers. Their ``step`` method has an overhead of three times the
# kernel's time, most of it for the step counter of each tensor.
_FUSED_ADAM = {
    torch.optim.Adam: getattr(torch, "_fused_adam_", None),
    torch.optim.AdamW: getattr(torch, "_fused_adamw_", None),
}


def can_be_stacked(optimizer):
    """Whether the weights of several nets can share an optimizer of this class."""
    return type(optimizer) in OPTIMIZERS.values()


@functools.lru_cache(maxsize=64)
def step_factors(name, n_epochs, n_batches):
    """Return the learning rate of each batch in a schedule, as a fraction of the maximum.

    Parameters
    ----------
    name : {"constant", "cosine", "onecycle", "plateau"}
        All ones for ``"plateau"``, whose learning rate depends on the losses, not on the batch.
    n_epochs, n_batches : int
        Number of epochs, and of batches per epoch.

    Returns
    -------
    factors : tuple of float, length n_epochs * n_batches
    """
    n_steps = n_epochs * n_batches
    if name in ("constant", "plateau"):
        return (1.0,) * n_steps
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = make_schedule(
        name, optimizer, n_epochs=n_epochs, n_batches=n_batches, patience=1, tol=0.0
    )
    factors = []
    for _ in range(n_steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return tuple(factors)


class StackedOptimizer:
    """Updates the weights of K nets at once, with the state of the nets' own optimizers.

    On the CPU, the result is equal, to the last bit, to that of nets trained one by one.

    Parameters
    ----------
    nets : list of TrainingNet
        Their optimizers are of one class. On the CPU, nets with equal settings are updated
        together; on a GPU, where every update takes the time to launch it, all of them if possible.
    weights : StackedWeights
        Weights of the nets.
    gradients : Tensor of shape (members, n_entries)
        Will hold the gradients, in the layout of ``weights.flat``.
    paces : list
        Equal for nets whose learning rates are equal in every step.
    """

    def __init__(self, nets, weights, gradients, paces):
        self.nets = nets
        views = weights.views(gradients)
        for number, net in enumerate(nets):
            for name, parameter in net.module_.named_parameters():
                parameter.grad = views[name][number]
        first = nets[0].optimizer_
        self.flat = None
        if gradients.is_cuda and _is_alike_adam([net.optimizer_ for net in nets]):
            self.flat = FlatAdam(nets, weights, gradients)
            return
        fused = _FUSED_ADAM.get(type(first)) if first.defaults.get("fused") else None
        make = _TorchGroup if fused is None else functools.partial(_FusedGroup, fused)
        settings = [
            (pace, net.weight_decay, _progress(net.optimizer_))
            for net, pace in zip(nets, paces, strict=True)
        ]
        alike: dict[tuple, list[int]] = {}
        for number, setting in enumerate(settings):
            alike.setdefault(setting, []).append(number)
        self.groups = [
            (numbers[0], make([nets[number] for number in numbers])) for numbers in alike.values()
        ]

    def step(self, lr):
        """Update all weights.

        Parameters
        ----------
        lr : list of float
            Learning rate of each net.
        """
        if self.flat is not None:
            self.flat.step(lr)
            return
        for first, group in self.groups:
            group.step(lr[first])

    def close(self):
        """Leave the optimizers of the nets as if each had made the steps itself."""
        for group in [self.flat] if self.flat is not None else [one for _, one in self.groups]:
            group.close()
        for net in self.nets:
            net.optimizer_.zero_grad()


def _progress(optimizer):
    """Return whether an optimizer has made steps and, if it counts them, how many."""
    counts = [int(entries.get("step", 0)) for entries in optimizer.state.values()]
    return bool(counts), max(counts, default=0)


def _is_alike_adam(optimizers):
    """Whether all optimizers are Adam or AdamW with as many steps."""
    n_steps = {_progress(optimizer)[1] for optimizer in optimizers}
    return type(optimizers[0]) in _FUSED_ADAM and len(n_steps) == 1


class FlatAdam:
    """Adam or AdamW for all weights of K nets as one matrix, with a learning rate for each row.

    Equal to torch's up to the order of rounding, in a few kernels for any number of nets.

    Parameters
    ----------
    nets, weights, gradients : see StackedOptimizer
        All optimizers have made equally many steps.
    """

    def __init__(self, nets, weights, gradients):
        self.nets, self.weights, self.gradients = nets, weights, gradients
        optimizer = nets[0].optimizer_
        options = optimizer.param_groups[0]
        self.betas, self.eps = options["betas"], options["eps"]
        self.is_decoupled = isinstance(optimizer, torch.optim.AdamW)
        self.decay = self._column([net.weight_decay for net in nets])
        self.decays = any(net.weight_decay for net in nets)
        self.n_steps = _progress(optimizer)[1]
        self.moments = [self._join(name) for name in ("exp_avg", "exp_avg_sq")]
        self.denominators = torch.empty_like(gradients)
        self.lr, self.lr_column = None, None

    def _column(self, values):
        return self.weights.flat.new_tensor(values).unsqueeze(1)

    def _join(self, name):
        """Return one of the moments of all nets, in the layout of the weights."""
        if not self.n_steps:
            return torch.zeros_like(self.weights.flat)
        states = [
            [net.optimizer_.state[one][name] for one in net.module_.parameters()]
            for net in self.nets
        ]
        return self.weights.join([torch.stack(parts) for parts in zip(*states, strict=True)])

    @torch.no_grad()
    def step(self, lr):
        """Update all weights; ``lr`` is a list with the learning rate of each net."""
        if lr != self.lr:
            self.lr, self.lr_column = lr, self._column(lr)
        self.n_steps += 1
        weights, gradients, (mean, square) = self.weights.flat, self.gradients, self.moments
        if self.decays and self.is_decoupled:
            weights.mul_(1 - self.lr_column * self.decay)
        elif self.decays:
            gradients = torch.addcmul(gradients, weights, self.decay)
        mean.lerp_(gradients, 1 - self.betas[0])
        square.mul_(self.betas[1]).addcmul_(gradients, gradients, value=1 - self.betas[1])
        first, second = (1 - beta**self.n_steps for beta in self.betas)
        torch.sqrt(square, out=self.denominators).mul_(second**-0.5).add_(self.eps)
        step = torch.div(mean, self.denominators, out=self.denominators)
        weights.addcmul_(step, self.lr_column, value=-1 / first)

    def close(self):
        """Return the moments to the optimizers of the nets."""
        if not self.n_steps:
            return
        count = self.gradients.new_tensor(self.n_steps)
        means, squares = (self.weights.views(moment) for moment in self.moments)
        for number, net in enumerate(self.nets):
            for name, parameter in net.module_.named_parameters():
                net.optimizer_.state[parameter] = {
                    "step": count.clone(),
                    "exp_avg": means[name][number].clone(),
                    "exp_avg_sq": squares[name][number].clone(),
                }


class _TorchGroup:
    """Nets with the same learning rate, updated by one of torch's optimizers."""

    def __init__(self, nets):
        self.nets = nets
        parameters = [parameter for net in nets for parameter in net.module_.parameters()]
        self.joint = nets[0].make_optimizer(parameters)
        for net in nets:
            self.joint.state.update(net.optimizer_.state)

    def step(self, lr):
        self.joint.param_groups[0]["lr"] = lr
        self.joint.step()

    def close(self):
        for net in self.nets:
            for parameter in net.module_.parameters():
                net.optimizer_.state[parameter] = self.joint.state[parameter]


class _FusedGroup(_TorchGroup):
    """Nets with the same learning rate, updated by the kernel of torch's fused Adam."""

    def __init__(self, kernel, nets):
        super().__init__(nets)
        self.kernel = kernel
        self.tensors = None
        options = self.joint.param_groups[0]
        self.options = {
            "weight_decay": options["weight_decay"],
            "beta1": options["betas"][0],
            "beta2": options["betas"][1],
            "eps": options["eps"],
            "amsgrad": False,
            "maximize": False,
        }

    def step(self, lr):
        if self.tensors is None:  # torch initializes the state in the first step
            super().step(lr)
            self._collect()
            return
        self.n_steps.add_(1)
        self.kernel(*self.tensors, [self.n_steps] * len(self.tensors[0]), lr=lr, **self.options)

    def _collect(self):
        parameters = self.joint.param_groups[0]["params"]
        states = [self.joint.state[parameter] for parameter in parameters]
        self.tensors = (
            [parameter.data for parameter in parameters],
            [parameter.grad for parameter in parameters],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
        )
        self.n_steps = states[0]["step"].clone()

    def close(self):
        super().close()
        if self.tensors is not None:
            for state in self.joint.state.values():
                state["step"].copy_(self.n_steps)
