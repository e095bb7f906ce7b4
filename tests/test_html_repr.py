"""HTML representation of estimators: documentation links and parameter descriptions."""

import html
import importlib
import inspect
import pathlib
import pkgutil
import re
import tomllib

import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sphinx.ext.autosummary.generate import find_autosummary_in_files

import skdeep
from skdeep.decomposition import Autoencoder
from skdeep.model_selection import BatchedGridSearchCV

ROOT = pathlib.Path(__file__).parents[1]
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]


def _public_estimators():
    """Every public class of estimators, searches among them."""
    for info in pkgutil.iter_modules(skdeep.__path__, "skdeep."):
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if inspect.isclass(thing) and issubclass(thing, BaseEstimator):
                yield thing


def _make(Class):
    """Instance of an estimator or of a search over one."""
    needs = [
        parameter.name
        for parameter in inspect.signature(Class).parameters.values()
        if parameter.default is inspect.Parameter.empty
    ]
    values = {"estimator": Autoencoder(), "clusterer": KMeans()}
    values |= {"param_grid": {}, "param_distributions": {}}
    return Class(**{name: values[name] for name in needs})


each_class = pytest.mark.parametrize(
    "Class", list(_public_estimators()), ids=lambda Class: Class.__name__
)


def links(shown):
    """Addresses that an HTML representation links to, parameters without their anchors."""
    return {html.unescape(one).partition("#")[0] for one in re.findall(r'href="([^"]*)"', shown)}


def described(shown):
    """Names of the parameters and attributes that an HTML representation describes."""
    return set(re.findall(r'"param-doc-description"[^>]*>\s*(\w+): [^<]+<br><br>[^<]', shown))


@pytest.fixture(scope="module")
def pages():
    """Addresses of the pages that the documentation has for what is public."""
    docs = ROOT / "docs"
    entries = find_autosummary_in_files([str(docs / "api" / "index.rst")])
    return {
        f"{URLS['Documentation']}{pathlib.Path(one.path).relative_to(docs)}/{one.name}.html"
        for one in entries
    }


@each_class
def test_the_html_representation_links_to_the_page_of_the_class(Class, pages):
    page = Class.__module__.rpartition(".")[0] + f".{Class.__name__}.html"
    own = [one for one in links(_make(Class)._repr_html_()) if one.endswith(f"/{page}")]
    assert len(own) == 1
    assert own[0] in pages


@each_class
def test_every_parameter_shows_what_the_docstring_says_about_it(Class):
    estimator = _make(Class)
    shown = described(estimator._get_params_html(doc_link="here")._repr_html_inner())
    assert shown == set(estimator.get_params(deep=False))


@pytest.mark.filterwarnings("ignore::skdeep.exceptions.ModeCollapseWarning")
def test_every_fitted_attribute_shows_what_the_docstring_says_about_it(make, X, y):
    estimator = make(max_epochs=1)
    parameters = described(estimator._repr_html_())
    shown = described(estimator.fit(X, y)._repr_html_()) - parameters
    fitted = {name for name in dir(estimator) if name.endswith("_") and name[0] != "_"}
    assert {"loss_curve_", "device_"} <= shown == fitted


def test_searches_and_pipelines_link_to_the_pages_of_their_parts(pages):
    pipe = make_pipeline(StandardScaler(), Autoencoder())
    shown = BatchedGridSearchCV(pipe, {})._repr_html_()
    ours = {one for one in links(shown) if one.startswith(URLS["Documentation"])}
    assert {one.rpartition(".")[0].rpartition(".")[2] for one in ours} == {
        "Autoencoder",
        "BatchedGridSearchCV",
    }
    assert ours <= pages
    assert any("scikit-learn.org" in one and "StandardScaler" in one for one in links(shown))


def test_a_subclass_elsewhere_does_not_link_to_our_documentation():
    class MyAutoencoder(Autoencoder):
        """A user-defined subclass."""

    assert not any(URLS["Documentation"] in one for one in links(MyAutoencoder()._repr_html_()))
