"""Tasks in several processes or threads, which survive the death of a process."""

from concurrent.futures import BrokenExecutor

from sklearn.utils.parallel import Parallel, delayed


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
        waiting = list(range(len(tasks)))
        while waiting:
            begun = self._try(tasks, waiting, results, on_result)
            for number in begun:  # one of them may have killed its process
                if self._try(tasks, [number], results, on_result):
                    results[number] = WorkerDiedError()
            waiting = [number for number in waiting if number not in results]
        return [results[number] for number in range(len(tasks))]

    def _try(self, tasks, numbers, results, on_result):
        """Run some tasks; return those that had begun without a result when a process died."""
        begun: list = []

        def calls():
            for number in numbers:
                begun.append(number)
                yield delayed(_numbered)(number, *tasks[number])

        try:
            for number, result in self._parallel(calls()):
                results[number] = result
                if on_result is not None:
                    on_result(number, result)
        except BrokenExecutor as error:
            self._renew(error)
            return [number for number in begun if number not in results]
        return []


def _numbered(number, function, *arguments):
    return number, function(*arguments)
