"""Scores over seeds, where each combination is measured once and stored in a resumable file."""

import ast
import contextlib
import json
import warnings

import numpy as np
from _harness import (
    environment,
    limited_threads,
    make_parser,
    median,
    parse,
    print_header,
    write_json,
)
from sklearn.exceptions import ConvergenceWarning

from skdeep.exceptions import ModeCollapseWarning

__all__ = [
    "Records",
    "collect",
    "describe",
    "grouped",
    "mean_and_sd",
    "parameter_values",
    "parse_study",
    "print_missing",
    "study_parser",
    "summary",
]


# Command line ------------------------------------------------------------------------------


def study_parser(doc, *, has_validation=True, **options):
    """Parser with the common options of scripts with records."""
    parser = make_parser(doc, **options, threads=None)
    parser.add_argument("--again", action="store_true", help="repeat measurements in the file")
    if has_validation:
        parser.add_argument("--validation", action="store_true", help="do not use the test samples")
    parser.add_argument(
        "--set",
        nargs="+",
        type=_setting,
        default=[],
        metavar="NAME=VALUE",
        help="parameters of skdeep's estimators, instead of those of the script",
    )
    return parser


def _setting(text):
    """Name and text of a parameter, ``name=value``; for argparse."""
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError(text)
    return name, value


def parse_study(parser, title, **smoke):
    """Parse the command line, print the title, and read the records of the file."""
    args = parse(parser, seeds=1, threads=1, **smoke)
    args.set = dict(sorted(args.set))
    print_header(title)
    return args, Records(args.json)


def parameter_values(settings):
    """Values of parameters from the command line: Python literals, else the text itself."""
    values = dict(settings)
    for name, text in values.items():
        with contextlib.suppress(SyntaxError, ValueError):
            values[name] = ast.literal_eval(text)
    return values


# Records -----------------------------------------------------------------------------------


class Records:
    """Records (dicts) of a file, or only of this run if there is no path.

    Parameters
    ----------
    path : Path or None
        Read if it exists, and written after each new record.
    """

    def __init__(self, path):
        self.path, self.all = path, []
        if path is not None and path.exists():
            self.all = json.loads(path.read_text(encoding="utf-8"))["records"]

    def has(self, wanted):
        """Whether there is a record of a measurement with the same parameters."""
        return any(_agree(record, wanted, wanted) for record in self.all)

    def add(self, wanted, figures):
        """Add a record, replacing an older one that differs only in parameters; return it."""
        names = wanted.keys() - {"parameters"}
        self.all = [record for record in self.all if not _agree(record, wanted, names)]
        self.all.append({**wanted, **figures})
        write_json(self.path, self.all)
        return self.all[-1]


def _agree(record, wanted, names):
    return all(record.get(name) == wanted[name] for name in names)


def describe(args, parameters, *, ours, **names):
    """Describe a measurement: data, model, seed and so on, and all parameters.

    Parameters
    ----------
    args : Namespace
    parameters : dict
        All settings that determine the result besides the names.
    ours : bool
        Whether the model is skdeep's, so that ``--set`` applies to it.
    **names : str, int or None
    """
    if "validation" in args:
        names["scored_on"] = "validation" if args.validation else "test"
    return {
        **names,
        "smoke": args.smoke,
        "settings": args.set if ours else {},
        "parameters": {name: repr(value) for name, value in sorted(parameters.items())},
    }


def collect(records, wanted, measure, args, metrics):
    """Measure what is missing in the file; return models that cannot be imported, and why.

    Parameters
    ----------
    records : Records
    wanted : iterable of dict
        From ``describe``.
    measure : callable
        Takes one of them and returns its results.
    args : Namespace
    metrics : dict of str to str
        Names of the results to print, and their titles.

    Returns
    -------
    missing : dict of str to str
    """
    missing = {}
    for one in wanted:
        if one["model"] in missing or (records.has(one) and not args.again):
            continue
        try:
            with limited_threads(args.threads), _recorded_warnings() as caught:
                figures = measure(one)
                versions = environment()
        except ImportError as error:
            missing[one["model"]] = f"{type(error).__name__}: {error}"
            continue
        figures["warnings"] = [str(warning.message) for warning in caught]
        figures |= {"threads": versions["torch threads"], "versions": versions}
        _print_line(records.add(one, figures), metrics)
    return missing


@contextlib.contextmanager
def _recorded_warnings():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ModeCollapseWarning)
        # MLPClassifier and MLPRegressor are meant to stop at max_iter
        warnings.filterwarnings("ignore", "Stochastic Optimizer", ConvergenceWarning)
        yield caught


def _print_line(record, metrics):
    places = [f"{name} {record[name]}" for name in ("seed", "fold") if name in record]
    scores = [f"{title} {record[name]:.4f}" for name, title in metrics.items()]
    seconds = [f"{_title(name)} {record[name]:.1f}" for name in record if name.endswith("_s")]
    text = f"{record['data']} {record['model']} {' '.join(places)}: {', '.join(scores + seconds)}"
    print(text, *record["warnings"], sep="\n  ", flush=True)


def print_missing(missing):
    for name, reason in missing.items():
        print(f"\nnot measured: {name} ({reason})")


# Tables ------------------------------------------------------------------------------------


def grouped(records, models):
    """Group records by data and scored part; each is a dict by model, n_samples and settings.

    Models are in the given order.
    """
    tables = {}
    for record in sorted(records, key=lambda one: models.index(one["model"])):
        table = tables.setdefault((record["data"], record.get("scored_on")), {})
        key = record["model"], record["rows"][0], _settings_text(record)
        table.setdefault(key, []).append(record)
    return tables


def _settings_text(record):
    return " ".join(f"{name}={value}" for name, value in record["settings"].items())


def summary(records, metrics):
    """Table row of a group: mean and standard deviation of scores, medians of seconds."""
    first = records[0]
    seconds = [name for name in first if name.endswith("_s")]
    return {
        "model": first["model"],
        "settings": _settings_text(first) or None,
        "rows": first["rows"][0],
        **{title: mean_and_sd(_column(records, name)) for name, title in metrics.items()},
        "runs": len(records),
        **{_title(name): median(_column(records, name)) for name in seconds},
        "warned": sum(bool(record["warnings"]) for record in records),
        "threads": "/".join(sorted({str(record["threads"]) for record in records})),
    }


def _column(records, name):
    return [record[name] for record in records]


def _title(name):
    return name.replace("_", " ")


def mean_and_sd(values):
    sd = f" +- {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{sd}"
