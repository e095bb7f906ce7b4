"""Sphinx configuration; the build needs no network."""

import os

import skdeep
from skdeep.utils._docs import DOCUMENTATION_URL

# the one script that needs data from elsewhere is shown and not run where there is no folder
runs = "plot_" if "SKDEEP_DATA" in os.environ else "plot_(?!gan_adult)"

project = "skdeep"
author = "The skdeep developers"
copyright = "The skdeep developers"
version = release = skdeep.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
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
    "plot_gallery": True,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skdeep {version}"
html_baseurl = DOCUMENTATION_URL
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False


def skip_members_of_scikit_learn(app, what, name, obj, skip, options):
    """Leave out what every scikit-learn estimator has; its docstrings link to another manual."""
    inherited = getattr(getattr(obj, "fget", obj), "__module__", None) or ""
    if inherited.startswith("sklearn.") or name.startswith("set_"):
        return True
    return None


def setup(app):
    """Register the hook above."""
    app.connect("autodoc-skip-member", skip_members_of_scikit_learn)
