"""How Sphinx builds these pages: `python -m sphinx -W -b html docs site`."""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from pygments import token
from pygments.lexer import RegexLexer, bygroups
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
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_theme_options = {"footer_icons": []}
project_copyright = f"{author}, Apache License 2.0"
html_show_sphinx = False
html_last_updated_fmt = "%Y-%m-%d"
# Dashes only: quotes stay as they are typed, so that what a reader copies runs.
smartquotes_action = "D"
# What is copied leaves prompts and outputs behind.
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

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


LANGUAGES = {".json": "json", ".py": "python", ".yaml": "yaml"}


class Examples(SphinxDirective):
    """`.. cpjob-examples::` shows the source of each of the repository's examples."""

    def run(self) -> list[nodes.Node]:
        """Make a section for each example: its own first sentence, its code, then its tests."""
        folder = Path(__file__).parent.parent / "examples"
        sections = []
        for tests in sorted(folder.glob("test_*.py")):
            module = folder / tests.name.removeprefix("test_")
            name = module.stem
            beside = sorted((folder / name).rglob("*.*"))
            found = [module, *beside, tests]
            section = nodes.section(ids=[nodes.make_id(name)], names=[name])
            section += nodes.title(text=name.replace("_", " "))
            for path in (path for path in found if path.suffix in LANGUAGES and path.is_file()):
                self.env.note_dependency(str(path))
                code = path.read_text("utf-8")
                named = nodes.literal(text=f"examples/{path.relative_to(folder)}")
                section += nodes.caption("", "", named)
                section += nodes.literal_block(code, code, language=LANGUAGES[path.suffix])
            sections.append(section)
        return [*sections]


def without_internals(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """Leave out of a signature what only tells an unknown argument's nearest name."""
    if not signature or ", **unknown: NoReturn" not in signature:
        return None
    return signature.replace(", **unknown: NoReturn", ""), returns


class ReportLexer(RegexLexer):
    """Colours what pytest prints of findings and timelines, as the terminal has it."""

    name = "pytest report"
    aliases: ClassVar[list[str]] = ["text"]
    tokens: ClassVar[dict[str, list[tuple[str, Any]]]] = {
        "root": [
            (r"^(- )([a-z-]+)(?=[: ])", bygroups(token.Text, token.Generic.Error)),
            (r"^[a-z-]+ x\d+.*\n", token.Generic.Error),
            (r"^[a-z]+-[a-z-]+(?:, [a-z-]+)*(?= \(\w+\.py:\d+\):|: )", token.Generic.Error),
            (r"^  !.*\n", token.Generic.Error),
            (r"^  To fix it:", token.Generic.Strong),
            (r"^  To allow it:.*\n", token.Comment),
            (r"^  \+\d+s", token.Number),
            (r"^[-_=]{4,} .* [-_=]{4,}\n", token.Generic.Heading),
            (r".*\n", token.Text),
        ]
    }


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
    app.connect("autodoc-process-signature", without_internals)
    app.add_directive("cpjob-fixtures", Fixtures)
    app.add_directive("cpjob-examples", Examples)
    app.add_lexer("text", ReportLexer)
