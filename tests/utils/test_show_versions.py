"""Output of ``show_versions``."""

import pathlib
import re
import tomllib
from importlib.metadata import version

import pytest
import torch

import skdeep
from skdeep.utils import available_devices

PROJECT = tomllib.loads((pathlib.Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))[
    "project"
]


@pytest.fixture
def printed(capsys):
    """Values by name, as printed."""
    skdeep.show_versions()
    lines = capsys.readouterr().out.splitlines()
    pairs = [line.partition(": ") for line in lines if ": " in line]
    return {name.strip(): value for name, _, value in pairs}


def test_it_names_the_versions_of_every_requirement_and_extra(printed):
    extras = PROJECT["optional-dependencies"]
    used = [extras[name] for name in extras if name not in ("all", "docs", "test")]
    requirements = [*PROJECT["dependencies"], *(one for extra in used for one in extra)]
    names = [re.match(r"[\w-]+", one)[0] for one in requirements]
    # scikit-learn lists itself by its import name
    shown = {name: printed["sklearn" if name == "scikit-learn" else name] for name in names}
    assert shown == {name: version(name) for name in names}
    assert printed["skdeep"] == skdeep.__version__


def test_it_names_devices_and_threads(printed):
    devices = re.findall(r"(?:cuda:\d+|mps|cpu)(?= |,|$)", printed["devices"])
    assert devices == available_devices()
    assert int(printed["threads"]) == torch.get_num_threads()
    assert printed["CPU capability"] == torch.backends.cpu.get_cpu_capability()


def test_it_names_python_and_system(printed):
    assert {"python", "machine", "user_api"} <= printed.keys()
