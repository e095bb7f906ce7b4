"""What the source distribution contains."""

import fnmatch
import pathlib
import tomllib

ROOT = pathlib.Path(__file__).parents[1]
# Hatch adds these by itself, or pip does to an unpacked distribution.
ALWAYS = {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"}


def _is_ignored(name):
    patterns = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    return any(fnmatch.fnmatch(name, one.strip("/")) for one in patterns if one[:1] != "#")


def test_nothing_is_left_out_of_the_source_distribution():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = settings["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    names = {name for name in names if not _is_ignored(name)}
    assert names - ALWAYS == {one.strip("/") for one in included}
