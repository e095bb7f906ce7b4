"""Links to the documentation."""

#: Root URL of the documentation. A test checks that ``[project.urls]`` has the same URL.
DOCUMENTATION_URL = "https://skdeep.readthedocs.io/en/stable/"


class DocumentationLinkMixin:
    """Links the "?" of an estimator's HTML representation to its page in the documentation.

    scikit-learn then also shows the docstring of each parameter and attribute. Neither applies to
    subclasses outside of this package.
    """

    _doc_link_module = "skdeep"
    _doc_link_template = (
        f"{DOCUMENTATION_URL}api/generated/{{estimator_module}}.{{estimator_name}}.html"
    )
