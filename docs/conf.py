"""Sphinx configuration; the build needs no network."""

import inspect
import os
import sys
from pathlib import Path

# without it, the gallery cannot find the imputer in an example that is not run
from sklearn.experimental import enable_iterative_imputer  # noqa: F401

import skdeep
from skdeep.utils._docs import DOCUMENTATION_URL

REPOSITORY_URL = "https://github.com/skdeep/skdeep"
# scripts that need data from elsewhere are shown and not run where there is no folder
elsewhere = "gan_adult|movie_recommendation|text_spam"
runs = "plot_" if "SKDEEP_DATA" in os.environ else f"plot_(?!{elsewhere})"

project = "skdeep"
author = "The skdeep developers"
copyright = "The skdeep developers"
version = release = skdeep.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.linkcode",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
# Inventories are files of this repository, so that the build needs no network. They are those of
# older releases, whose addresses are still valid.
intersphinx_mapping = {
    "sklearn": ("https://scikit-learn.org/stable/", "_inventories/scikit-learn.inv"),
    "python": ("https://docs.python.org/3/", "_inventories/python.inv"),
    "pandas": ("https://pandas.pydata.org/docs/", "_inventories/pandas.inv"),
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
exclude_patterns = ["_build", "auto_examples/*.ipynb", "auto_examples/*.py"]
templates_path = ["_templates"]
default_role = "literal"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": f"/{runs}",
    "ignore_pattern": r"(quickstart|service)\.py",
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
    "plot_gallery": True,
    "backreferences_dir": "api/backreferences",
    "doc_module": ("skdeep",),
    "capture_repr": ("_repr_html_", "__repr__"),
    "within_subsection_order": "FileNameSortKey",
}

html_theme = "pydata_sphinx_theme"
html_title = f"skdeep {version}"
html_baseurl = DOCUMENTATION_URL
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_context = {"default_mode": "auto"}
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "icon_links": [
        {"name": "GitHub", "url": REPOSITORY_URL, "icon": "fa-brands fa-github"},
    ],
}
html_show_sourcelink = False


def linkcode_resolve(domain, info):
    """Return the address of the source of an object, for its [source] link."""
    if domain != "py" or not info["module"].startswith("skdeep"):
        return None
    try:
        found = sys.modules[info["module"]]
        for name in info["fullname"].split("."):
            found = getattr(found, name)
        found = inspect.unwrap(getattr(found, "fget", None) or found)
        path = inspect.getsourcefile(found)
        lines, first = inspect.getsourcelines(found)
    except (AttributeError, OSError, TypeError):
        return None
    root = Path(skdeep.__file__).parents[1]
    if path is None or root not in Path(path).parents:
        return None
    place = Path(path).relative_to(root).as_posix()
    return f"{REPOSITORY_URL}/blob/main/{place}#L{first}-L{first + len(lines) - 1}"


def is_inherited(obj):
    """Whether a member is scikit-learn's; its docstring links to another manual."""
    return (getattr(getattr(obj, "fget", obj), "__module__", None) or "").startswith("sklearn.")


def skip_members_of_scikit_learn(app, what, name, obj, skip, options):
    """Leave out what every scikit-learn estimator has, and methods that are listed instead."""
    return True if is_inherited(obj) or name.startswith("set_") else None


def list_methods_of_scikit_learn(app, what, name, obj, options, lines):
    """Add a table of the methods that a class inherits from scikit-learn."""
    if what != "class":
        return
    methods = [
        (name, method)
        for name, method in inspect.getmembers(obj, callable)
        if is_inherited(method) and not name.startswith(("_", "set_", "get_metadata"))
    ]
    if not methods:
        return
    lines += ["", ".. rubric:: Methods inherited from scikit-learn", "", ".. list-table::", ""]
    for name, method in methods:
        summary = (inspect.getdoc(method) or "").partition("\n")[0].replace("`", "")
        lines += [
            f"   * - ``{name}{inspect.signature(method)}``".replace("self, ", ""),
            f"     - {summary}",
        ]
    lines.append("")


def setup(app):
    """Register the hooks above; the table follows numpydoc's own changes."""
    app.connect("autodoc-skip-member", skip_members_of_scikit_learn)
    app.connect("autodoc-process-docstring", list_methods_of_scikit_learn, priority=900)
