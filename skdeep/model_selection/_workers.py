"""Tasks in several processes or threads, which survive the death of a process."""

import contextlib
import tempfile
from concurrent.futures import BrokenExecutor
from pathlib import Path

from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

# Processes that are killed one after the other before they begin a task.
_MOST_STARTS = 5


class WorkerDiedError(RuntimeError):
    """Error of a task whose process was killed twice."""

    def __init__(self):
        super().__init__(
            "the process that ran this fit was killed twice, for example because it used too much "
            "memory. Use fewer processes (n_jobs) or smaller stacks (max_batch_models)."
        )


class Workers:
    """Pool in which a killed process costs only the tasks that it had begun.

    If a process dies, the pool is renewed. The tasks that may have been in that process are
    repeated, each on its own, and the others afterwards together, as before.

    Parameters
    ----------
    **options
        Those of ``joblib.Parallel``.
    """

    def __init__(self, **options):
        self._options = options
        self._parallel = None

    def __enter__(self):
        self._open()
        return self

    def __exit__(self, *error):
        self._parallel.__exit__(*error)

    def _open(self):
        try:
            self._parallel = Parallel(return_as="generator_unordered", **self._options)
        except ValueError:  # some backends return all results at the end
            self._parallel = Parallel(**self._options)
        self._parallel.__enter__()

    def _renew(self, error):
        self._parallel.__exit__(type(error), error, None)
        self._open()

    def run(self, tasks, on_result=None):
        """Run tasks and return their results in order.

        Parameters
        ----------
        tasks : list of tuple
            A function and its arguments.
        on_result : callable, default=None
            Called with the number of a task and its result as soon as it is there.

        Returns
        -------
        results : list
            ``WorkerDiedError`` where the process of a task was killed twice.
        """
        results: dict = {}
        waiting, n_vain = list(range(len(tasks))), 0
        with self._marks() as marks:
            while waiting:
                begun = self._try(tasks, waiting, results, on_result, marks)
                for number in begun:  # one of them may have killed its process
                    self._try_alone(tasks, number, results, on_result, marks)
                left = [number for number in waiting if number not in results]
                n_vain = n_vain + 1 if len(left) == len(waiting) else 0
                if n_vain == _MOST_STARTS:
                    results.update((number, WorkerDiedError()) for number in left)
                    left = []
                waiting = left
        return [results[number] for number in range(len(tasks))]

    def _marks(self):
        """Context manager with a folder in which processes mark the tasks that they begin."""
        if effective_n_jobs(self._options.get("n_jobs")) == 1:
            return contextlib.nullcontext()
        return tempfile.TemporaryDirectory(prefix="skdeep-search-")

    def _try_alone(self, tasks, number, results, on_result, marks):
        """Repeat a task; a process that is killed before it begins does not count."""
        for _ in range(_MOST_STARTS):
            begun = self._try(tasks, [number], results, on_result, marks)
            if begun or number in results:
                break
        results.setdefault(number, WorkerDiedError())

    def _try(self, tasks, numbers, results, on_result, marks):
        """Run some tasks; return those that had begun without a result when a process died."""
        calls = (delayed(_marked)(marks, number, *tasks[number]) for number in numbers)
        try:
            for number, result in self._parallel(calls):
                results[number] = result
                if on_result is not None:
                    on_result(number, result)
        except BrokenExecutor as error:
            self._renew(error)
            begun = [number for number in numbers if _mark(marks, number).exists()]
            for number in begun:
                _mark(marks, number).unlink()
            return [number for number in begun if number not in results]
        return []


def _mark(marks, number):
    return Path(marks, str(number))


def _marked(marks, number, function, *arguments):
    """Mark a task as begun and carry it out; its number and result."""
    if marks is not None:
        _mark(marks, number).touch()
    return number, function(*arguments)
