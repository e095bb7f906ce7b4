"""Training of K nets of one shape as one stack."""

import contextlib

import torch

from skdeep._training._net import StopTraining
from skdeep._training._objective import Objective
from skdeep._training._stacked_optim import StackedOptimizer, step_factors
from skdeep._training._stacked_rows import StackedRows
from skdeep.nn._stacked import StackedWeights, stack_modules
from skdeep.utils._threads import runs_on_one_thread, stack_scope


def train_together(runs):
    """Train nets of equal ``run_signature``, with the same results as if each was trained alone.

    A net leaves the stack after its last epoch, when it stops early or when it fails; the others
    continue.

    Parameters
    ----------
    runs : list of Run

    Returns
    -------
    errors : list of Exception or None
        Exception raised in the training of each net.
    """
    members = [_Member(run) for run in runs]
    try:
        for member in members:
            member.begin()
        present = [member for member in members if member.is_present]
        nets, rows = [member.net for member in members], runs[0].rows
        with stack_scope(nets, nets[0].batch_rows(rows)), torch.enable_grad():
            while present:
                stack = _Stack(present)
                while all(member.is_present for member in present):
                    stack.run_epoch()
                stack.dissolve()
                present = [member for member in present if member.is_present]
    finally:
        for member in members:
            StackedWeights.release(member.net.module_)
    for member in members:
        member.end()
    return [member.error for member in members]


class _Member:
    """One of the nets of a stack, and what is done once per epoch."""

    def __init__(self, run):
        self.run, self.net = run, run.net
        self.n_epochs = 0
        self.is_present = True
        self.error = None
        n_batches = self.net.n_batches(run.rows)
        self.factors = step_factors(run.lr_schedule, run.n_schedule_epochs, n_batches)
        own_step = id(run) if run.lr_schedule == "plateau" else None
        self.pace = self.net.lr, self.factors, run.first_epoch, own_step

    @contextlib.contextmanager
    def _kept_apart(self):
        """Context manager in which this net can stop or fail without affecting the others."""
        try:
            yield
        except StopTraining:
            self.is_present = False
        except Exception as error:
            self.error = error
            self.is_present = False

    def begin(self):
        """Prepare for the first epoch."""
        with self._kept_apart():
            self.net.begin_training(self.run)

    def begin_epoch(self):
        """Call the callbacks."""
        with self._kept_apart():
            self.net.notify("on_epoch_begin", dataset_train=self.run.rows)

    def end_epoch(self):
        """Call the callbacks and count the epoch."""
        with self._kept_apart():
            self.net.notify("on_epoch_end", dataset_train=self.run.rows)
        self.n_epochs += 1
        if self.n_epochs >= self.run.n_epochs:
            self.is_present = False

    def end(self):
        """Finish after the last epoch."""
        if self.error is None:
            with self._kept_apart():
                self.net.end_training(self.run)

    def lr(self, batch):
        """Return the learning rate of a batch in the present epoch."""
        base = self.net.optimizer_.param_groups[0]["lr"]
        if self.run.lr_schedule in ("constant", "plateau"):
            return base
        n_batches = len(self.factors) // self.run.n_schedule_epochs
        epoch = self.run.first_epoch + self.n_epochs
        return self.net.lr * self.factors[epoch * n_batches + batch]


class _Stack:
    """The nets that are still being trained, as one stack."""

    def __init__(self, members):
        # nets with equal numbers of rows are adjacent, so that they form one part of every batch
        self.members = sorted(members, key=lambda member: len(member.run.rows))
        self.nets = [member.net for member in self.members]
        self.weights = StackedWeights([net.module_ for net in self.nets])
        self.gradients = torch.empty_like(self.weights.flat)
        paces = [member.pace for member in self.members]
        self.optimizer = StackedOptimizer(self.nets, self.weights, self.gradients, paces)
        self.clips = [net.gradient_clip_value for net in self.nets]
        generators = [net.shuffle_generator for net in self.nets]
        runs = [member.run for member in self.members]
        n_batches = self.nets[0].n_batches
        self.rows = StackedRows([run.rows for run in runs], n_batches(runs[0].rows), generators)
        self.valid_rows = None
        if runs[0].valid_rows is not None:
            rows = [run.valid_rows for run in runs]
            self.valid_rows = StackedRows(rows, n_batches(rows[0], training=False))
        self.parts = {}
        self.is_training = True

    def run_epoch(self):
        """Train for one epoch and validate; members that have finished are no longer present."""
        for member in self.members:
            member.begin_epoch()
        self._set_training(True)
        record = _Record()
        for number, batches in enumerate(self.rows.epoch()):
            record.add(*self._step(batches, number))
        record.write("train", self.members, self.rows.sizes)
        if self.valid_rows is not None:
            self._set_training(False)
            record = _Record()
            with torch.no_grad():
                for batches in self.valid_rows.epoch():
                    record.add(*_join([self._part(*place)(batch) for *place, batch in batches]))
            record.write("valid", self.members, self.valid_rows.sizes)
        for member in self.members:
            member.end_epoch()

    def _set_training(self, is_training):
        self.is_training = is_training
        for part in self.parts.values():
            part.module.train(is_training)

    def _part(self, start, stop):
        """Return the members from ``start`` to ``stop`` as one module, built on first use."""
        if (start, stop) not in self.parts:
            part = _Part(self.nets[start:stop], self.weights.tensors(start, stop), self.rows)
            part.module.train(self.is_training)
            self.parts[start, stop] = part
        return self.parts[start, stop]

    def _step(self, batches, number):
        """Take one step with all nets; return losses and terms, (members,) each."""
        results = []
        for start, stop, batch in batches:
            part = self._part(start, stop)
            losses, terms = part(batch)
            gradients = torch.autograd.grad(losses.sum(), part.leaves)
            self.weights.join(gradients, out=self.gradients[start:stop])
            results.append((losses, terms))
        if self.clips[0] is not None:
            self._clip()
        self.optimizer.step([member.lr(number) for member in self.members])
        return _join(results)

    def _clip(self):
        """Clip gradients like ``clip_grad_norm_``, by the norm of the norms of all tensors."""
        parts = self.weights.views(self.gradients).values()
        norms = [torch.linalg.vector_norm(part.flatten(1), dim=1) for part in parts]
        rows = torch.stack(norms, dim=1)  # (members, parameters)
        if rows.is_cuda:
            total = torch.linalg.vector_norm(rows, dim=1)
        else:  # in the order of summation of a single net
            total = torch.stack([torch.linalg.vector_norm(row) for row in rows])
        shares = ((total + 1e-6).reciprocal() * total.new_tensor(self.clips)).clamp(max=1.0)
        self.gradients.mul_(shares.unsqueeze(1))

    def dissolve(self):
        """Return the weights to the nets, which can continue on their own or in another stack."""
        self.optimizer.close()
        for member in self.members:
            StackedWeights.release(member.net.module_)


class _Part:
    """Nets with the same number of rows in a batch, as one module.

    Parameters
    ----------
    nets : list of TrainingNet
    tensors : StackedTensors
        Weights of the nets.
    rows : StackedRows
    """

    def __init__(self, nets, tensors, rows):
        net = nets[0]
        self.module = stack_modules(
            [net.module_ for net in nets],
            tensors,
            alone_on_one_thread=runs_on_one_thread(net.module_, rows.batch_rows, net.device),
        )
        self.leaves = list(tensors.parameters.values())
        every = [net.criterion_.hyperparameters for net in nets]
        column = self.leaves[0].new_tensor
        hyperparameters = {
            name: column([one[name] for one in every]).unsqueeze(1)
            if name in net.criterion_.lifted
            else value
            for name, value in every[0].items()
        }
        criterion = net.criterion_
        self.objective = Objective(
            criterion.loss_terms, hyperparameters, is_paired=criterion.is_paired
        )

    def __call__(self, batch):
        """Return losses and terms of a batch, (members,) each."""
        return self.objective(self.objective.output(self.module, batch), batch)


def _join(results):
    """Concatenate the losses and terms of several parts of a batch."""
    if len(results) == 1:
        return results[0]
    losses, terms = zip(*results, strict=True)
    return torch.cat(losses), {name: torch.cat([one[name] for one in terms]) for name in terms[0]}


class _Record:
    """Losses of the batches of an epoch and their terms, read from the device at its end."""

    def __init__(self):
        self.names, self.values = ["loss"], []

    def add(self, losses, terms):
        """Add the losses and terms of a batch, (members,) each."""
        parts = [losses]
        if len(terms) > 1:
            self.names = ["loss", *terms]
            parts += terms.values()
        self.values.append(torch.stack([part.detach() for part in parts]))

    def write(self, prefix, members, sizes):
        """Record the means of each member; ``sizes``, (members, batches), are numbers of rows."""
        values = torch.stack(self.values).cpu().double()  # (batches, terms, members)
        counts = torch.tensor(sizes, dtype=torch.float64)
        shares = counts / counts.sum(dim=1, keepdim=True)
        for number, member in enumerate(members):
            means = (shares[number] @ values[:, :, number].contiguous()).tolist()
            row = dict(zip(self.names, means, strict=True))
            member.net.record_epoch(prefix, row, sizes[number])
