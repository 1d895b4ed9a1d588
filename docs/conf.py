"""How Sphinx builds these pages: `python -m sphinx -W -b html docs site`."""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import version as installed_version

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

import pytest_cpjob
from pytest_cpjob.plugin import fixtures

project = "pytest-cpjob"
author = "The pytest-cpjob authors"
version = release = installed_version("pytest-cpjob")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
html_theme = "furo"
html_title = f"{project} {release}"

# Links go to headings by the names that GitHub gives them, so that the pages work there as well.
myst_heading_anchors = 3
# Docstrings set code in single backticks.
default_role = "literal"
napoleon_use_rtype = False
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"


class Fixtures(SphinxDirective):
    """`.. cpjob-fixtures::` lists the plugin's fixtures: what each gives, and its docstring."""

    def run(self) -> list[nodes.Node]:
        """Make one entry for each fixture, in the plugin's order."""
        lines: list[str] = []
        for function in ast.parse(inspect.getsource(fixtures)).body:
            if isinstance(function, ast.FunctionDef) and function.name.startswith("cpjob"):
                given = ast.unparse(function.returns) if function.returns else "None"
                lines += [f".. py:data:: {function.name}", f"   :type: {given}"]
                # An example needs a paragraph of its own here, and none for `pytest --fixtures`.
                text = (ast.get_docstring(function) or "").replace("\n>>>", "\n\n>>>", 1)
                lines += ["", *(f"   {line}" for line in text.splitlines()), ""]
        return self.parse_text_to_nodes("\n".join(lines))


def tell_of_alias(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Give a value of the package the text that stands below it in its module, not its class's."""
    name = name.rpartition(".")[2]
    if what == "data" and name in pytest_cpjob._HOME_OF:
        home = f"pytest_cpjob.{pytest_cpjob._HOME_OF[name]}"
        lines[:] = ModuleAnalyzer.for_module(home).find_attr_docs().get(("", name), [])


def setup(app: Sphinx) -> None:
    """Sphinx's entry."""
    app.connect("autodoc-process-docstring", tell_of_alias)
    app.add_directive("cpjob-fixtures", Fixtures)
