"""Where the documentation is, and the links to it."""

__all__ = ["DOCUMENTATION_URL", "DocumentationLinkMixin"]

#: Root of the built pages. ``[project.urls]`` names it for package indexes; a test compares them.
DOCUMENTATION_URL = "https://skdeep.readthedocs.io/en/stable/"


class DocumentationLinkMixin:
    """The "?" of an estimator's HTML representation leads to its page in our documentation.

    With the link scikit-learn also shows what the docstring says about each parameter and
    attribute. A subclass outside of this package has neither.
    """

    _doc_link_module = "skdeep"
    _doc_link_template = (
        f"{DOCUMENTATION_URL}api/generated/{{estimator_module}}.{{estimator_name}}.html"
    )
