"""Evaluation of many candidates: in stacks where possible, else one by one."""

import itertools
import math
from collections import Counter
from dataclasses import replace

from joblib import effective_n_jobs
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import clone

from skdeep._batched_fit import even_parts
from skdeep.model_selection._jobs import Candidate, Job, Net, Node
from skdeep.model_selection._stages import (
    fail_chunk,
    fail_job,
    fit_prefix,
    score_union,
    score_whole,
    start_branch,
    train_chunk,
)
from skdeep.model_selection._structure import nets_in
from skdeep.model_selection._workers import WorkerDiedError, Workers
from skdeep.utils._sklearn import has_callbacks

# Name of the task of one candidate on one split in scikit-learn's searches.
_EVALUATION = "candidate-split-evaluation"
# Results are recorded in a journal after at most this many nets.
_RECORDED_AT_ONCE = 64


def evaluate(search, data, params, context, paused=None):
    """Fit and score every candidate on every split.

    Parameters
    ----------
    search : estimator
        Its ``estimator``, ``n_jobs``, ``pre_dispatch`` and ``verbose`` are used.
    data : SearchData
    params : list of dict
    context : sklearn.callback.CallbackContext
        Its subtasks are the candidates on the splits.
    paused : PausedFits or None
        Fits to be continued from an earlier call.

    Returns
    -------
    results : list of dict
        Those of ``fit_and_score``, candidate by candidate, each split by split.
    """
    candidates = [
        Candidate(number, one, clone(search.estimator).set_params(**clone(one, safe=False)))
        for number, one in enumerate(params)
    ]
    jobs = [Job(one, split) for one in candidates for split in range(len(data.splits))]
    known = {} if data.journal is None else data.journal.find(jobs)
    is_watched = has_callbacks(search)
    for number, job in enumerate(jobs):
        if number in known:
            continue
        # callbacks of an ordinary fit may belong to a part of the estimator
        if is_watched or not job.candidate.deep:
            job.context = context.subcontext(_EVALUATION, task_id=number)
    if known and search.verbose > 0:
        print(f"{len(known)} fits are in the journal.")
    new = [job for number, job in enumerate(jobs) if number not in known]
    results = iter(_Evaluation(search, data, paused).run(new))
    return [known[number] if number in known else next(results) for number in range(len(jobs))]


class _Evaluation:
    """Runs jobs stage by stage; shared stages run once."""

    def __init__(self, search, data, paused):
        self.search, self.data, self.paused = search, data, paused
        self.n_workers = effective_n_jobs(search.n_jobs)
        options = {"n_jobs": search.n_jobs}
        n_devices = _n_devices(search.estimator)
        if search.n_jobs is None and self.n_workers < n_devices:
            # threads of this process: each uses the device with the fewest other fits
            self.n_workers = n_devices
            options = {"n_jobs": n_devices, "prefer": "threads"}
        self.workers = Workers(pre_dispatch=search.pre_dispatch, **options)
        self.results = {}
        self.log = Counter()

    def run(self, jobs):
        """Return the results in the order of the jobs."""
        with self.workers:
            for present in self._rounds([job for job in jobs if job.candidate.deep]):
                self._run_levels(present)
            self._run_whole([job for job in jobs if not job.candidate.deep])
        self._report()
        return [self.results[id(job)] for job in jobs]

    def _run_levels(self, jobs):
        """Fit all jobs, alternating between other steps and steps with nets."""
        level = 0
        while jobs:
            self._advance(jobs, level)
            jobs = self._train(jobs, level)
            level += 1

    def _rounds(self, jobs):
        """Split jobs so that the samples after their shared steps fit into working memory.

        Jobs that share steps, on all splits, stay together. Paused nets keep their samples.
        """
        if self.paused is not None:
            return [jobs]
        sharing = {}
        for job in jobs:
            sharing.setdefault(job.candidate.key(job.candidate.deep[0]), []).append(job)
        room = get_config()["working_memory"] * 2**20
        size = len(self.data.splits) * _n_bytes(self.data.X)
        rounds, n_bytes = [[]], 0
        for (place, *_), some in sharing.items():
            # samples before all steps are not copied, those of branches are
            own = size if place or some[0].candidate.branches(place) else 0
            if rounds[-1] and n_bytes + own > room:
                rounds.append([])
                n_bytes = 0
            rounds[-1] += some
            n_bytes += own
        return rounds

    def _advance(self, jobs, level):
        """Fit the steps before the next net of all jobs."""
        new = []
        for job in jobs:
            job.node = Node(job.split) if job.node is None else job.node
            stop = job.candidate.deep[level]
            known = None if self.paused is None else self.paused.node(job, stop)
            if known is not None:  # a paused net continues after the same fitted steps
                job.node = known
            elif stop > len(job.node.steps):
                new.append((job, stop))
        self._fit_steps(new)

    def _fit_steps(self, jobs):
        """Fit the steps of jobs up to a place; shared steps are fitted once.

        Parameters
        ----------
        jobs : list of (Job, int)
        """
        shared = {}
        for job, stop in jobs:
            key = job.split, len(job.node.steps), job.candidate.key(stop)
            shared.setdefault(key, (stop, []))[1].append(job)
        nodes = self.workers.run(
            [
                (fit_prefix, self.data, some[0].candidate, some[0].node, stop, len(some))
                for stop, some in shared.values()
            ]
        )
        for node, (_, some) in zip(nodes, shared.values(), strict=True):
            for job in some:
                if isinstance(node, WorkerDiedError):
                    job.node = replace(job.node, error=node)
                else:
                    job.node = node

    def _train(self, jobs, level):
        """Train the next nets of each job; returns the jobs that have another one after them."""
        unions = [job for job in jobs if job.candidate.branches(job.candidate.deep[level])]
        known = set(map(id, unions))
        self._train_nets([job for job in jobs if id(job) not in known], level)
        self._train_branches(unions, level)
        return [job for job in jobs if not job.is_last(job.candidate.deep[level])]

    def _train_nets(self, jobs, level):
        """Train the nets that are steps of jobs, and score the jobs that are finished."""
        chunks = self._chunks(jobs, level)
        parts = self._train_chunks(chunks)
        nets = list(itertools.chain.from_iterable(chunks))
        outcomes = list(itertools.chain.from_iterable(parts))
        self._log_nets(nets, outcomes)
        for net, outcome in zip(nets, outcomes, strict=True):
            self.results.update(zip(map(id, net.finished_jobs()), outcome.results, strict=True))
            for job in net.jobs:
                job.node = outcome.node
        found = [(net, one.paused) for net, one in zip(nets, outcomes, strict=True) if one.paused]
        if found:
            self.paused.keep(found)

    def _train_chunks(self, chunks):
        """Train chunks of nets; the nets of one that kills its process twice are trained alone."""
        tasks = [(train_chunk, self.data, nets, self.search) for nets in chunks]
        parts = self.workers.run(tasks, lambda number, part: self._record(chunks[number], part))
        for number, part in enumerate(parts):
            if isinstance(part, WorkerDiedError):
                nets = chunks[number]
                if len(nets) == 1:
                    parts[number] = fail_chunk(self.data, nets, part)
                else:
                    alone = self._train_chunks([[net] for net in nets])
                    parts[number] = list(itertools.chain.from_iterable(alone))
        return parts

    def _train_branches(self, jobs, level):
        """Train the nets in unions that are steps of jobs, and score the jobs that are finished.

        All branches of all unions are jobs of their own, whose nets are trained together.
        """
        known: dict = {}
        branches = [self._branches(job, job.candidate.deep[level], known) for job in jobs]
        self._run_levels([branch for some in branches for branch in some.values()])
        inputs, finished = [], []
        for job, some in zip(jobs, branches, strict=True):
            nodes = {name: branch.node for name, branch in some.items()}
            seconds = job.node.seconds + sum(node.seconds for node in nodes.values())
            job.node = replace(job.node, branches=nodes, seconds=seconds)
            place = job.candidate.deep[level]
            if job.method(place) == "fit_transform" and job.is_scored:
                inputs.append((job, place + 1))
            if job.is_scored and job.is_last(place):
                finished.append(job)
        self._fit_steps(inputs)
        self._score(score_union, finished)
        for job in finished:
            job.node = None  # release the samples
        self.data.forget()

    def _branches(self, job, place, known):
        """Return the branches of a step that have nets as jobs by name; equal ones share a node."""
        branches = {}
        for name in job.candidate.branches(place):
            branch = job.candidate.branch(place, name)
            key = job.split, branch.origin
            if key not in known:
                known[key] = start_branch(self.data, job, place, name)
            if known[key] is not None:
                branches[name] = Job(branch, job.split, node=known[key], is_scored=False)
        return branches

    def _chunks(self, jobs, level):
        """Split the next nets of all jobs into lists that are trained together."""
        groups = {}
        for job in jobs:
            place = job.candidate.deep[level]
            key = job.split, place, job.candidate.key(place + 1)
            group = groups.setdefault(self._shape(job, place), {})
            group.setdefault(key, Net(job.node, place, [])).jobs.append(job)
        chunks = []
        for group in groups.values():
            # fits of equal length next to each other
            nets = sorted(
                group.values(), key=lambda net: len(self.data.splits[net.before.split][0])
            )
            if self.paused is not None:
                for net in nets:
                    net.paused = self.paused.take(net)
            n_parts = max(1, min(self.n_workers, len(nets) // 2))
            if self.data.journal is not None:
                n_parts = max(n_parts, -(-len(nets) // _RECORDED_AT_ONCE))
            chunks += even_parts(nets, n_parts)
        return chunks

    def _shape(self, job, place):
        """Describe what the nets of a stack have in common, by their parameters."""
        step = job.candidate.steps()[place][1]
        settings, lifted = step.get_params(deep=False), step._lifted_parameters
        shape = {name: value for name, value in settings.items() if name not in lifted}
        return type(step), repr(sorted(shape.items(), key=str))

    def _log_nets(self, nets, outcomes):
        """Record how nets were trained."""
        for net, outcome in zip(nets, outcomes, strict=True):
            kind = type(net.step[1]).__name__
            if outcome.reason is not None:
                self.log[f"{kind}: {{}} nets are trained one by one: {outcome.reason}"] += 1
            elif outcome.limit is not None:
                self.log[f"{kind}: {{}} nets are trained in stacks of up to {outcome.limit}"] += 1

    def _run_whole(self, jobs):
        """Fit jobs without a net that can be stacked."""
        self._score(score_whole, jobs)
        if jobs:
            self.log["{} fits are done one by one: no step is a net that can be stacked"] += len(
                jobs
            )

    def _score(self, score, jobs):
        """Fit and score jobs one by one."""
        results = self.workers.run(
            [(score, self.data, job, self.search) for job in jobs],
            lambda number, result: self._append([jobs[number]], [result]),
        )
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, WorkerDiedError):
                result = fail_job(self.data, job, result)
            self.results[id(job)] = result

    def _record(self, nets, outcomes):
        """Append the results of nets that were trained together to the journal."""
        for net, outcome in zip(nets, outcomes, strict=True):
            self._append(net.finished_jobs(), outcome.results)

    def _append(self, jobs, results):
        if self.data.journal is not None:
            self.data.journal.append(jobs, results)

    def _report(self):
        if self.search.verbose > 0:
            for line, number in self.log.items():
                print(line.format(number) + ".")


def _n_bytes(X):
    """Estimate the memory of numerical samples."""
    return 8 * (X.nnz if issparse(X) else math.prod(getattr(X, "shape", (len(X),))))


def _n_devices(estimator):
    """Count the devices over which the nets of an estimator may be distributed."""
    devices = [net.device for net in nets_in(estimator)]
    return max((len(one) for one in devices if isinstance(one, list | tuple)), default=1)
