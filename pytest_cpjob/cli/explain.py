"""`pytest-cpjob explain`: what a finding means, for who has no documentation at hand."""

from __future__ import annotations

import textwrap
from importlib.metadata import metadata
from typing import Any, Final

from pytest_cpjob.contract.findings import KINDS, NO_REPLY
from pytest_cpjob.contract.reports import wrapped
from pytest_cpjob.settings import nearest

_WIDTH: Final = 80
_IT: Final = '"It" is the code under test: a handler or a worker.'
_SEVERITIES: Final = {
    "contract": "It breaks CodePipeline's job contract.",
    "security": "It gives a secret away.",
    "test": "It makes the test worth less.",
}
_FOR_A_LAMBDA_JOB: Final = {
    "no_reply": f' ("{NO_REPLY.partition(".")[0]}. ...").'.replace("{name}", "..."),
    "success": "put_job_success_result",
    "failure": "put_job_failure_result",
    "acknowledge": "acknowledge_job",
    "operation": "GetCallerIdentity",
    "service": "sts",
}
"""What a finding's own text has from its job and call, for an explanation without them."""


def add_explain(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "explain",
        help="say what a finding means, what AWS does then, and how it is fixed or allowed",
        description="Say what a finding means, what AWS does then, how it is fixed, and how it is"
        " allowed. Without a name, list all findings.",
    )
    command.add_argument("finding", nargs="?", metavar="FINDING", help="such as leaked-secret")


def explained(name: str | None) -> str:
    """Return what a finding means; without a name, all of them in a line each.

    Raises:
        ValueError: there is no such finding.
    """
    if name is None:
        widest = max(map(len, KINDS))
        lines = [
            textwrap.fill(
                f"{each:{widest}}  {kind.what}", _WIDTH, subsequent_indent=" " * (widest + 2)
            )
            for each, kind in KINDS.items()
        ]
        return "\n".join(
            [_IT, "", *lines, "", "pytest-cpjob explain FINDING says more of one.", *_page()]
        )
    if name not in KINDS:
        known = nearest(name, tuple(KINDS))
        raise ValueError(f"explain: there is no finding {name!r}{known}")
    kind = KINDS[name]
    option, in_ini_file = f'allow=["{name}"]', f"cpjob_allow = {name}"
    if name == "own-role":  # to silence it gives no access
        option, in_ini_file = "own_role=True", "cpjob_own_role = true"
    lines = [
        f"{name}: {kind.what}. {_SEVERITIES[kind.severity]}",
        f"  {_filled(kind.consequence)}",
        f"  To fix it: {_filled(kind.fix)}",
        f"  To allow it in a test: @pytest.mark.cpjob({option})",
        f"  To allow it in all tests, in the ini file: {in_ini_file}",
    ]
    return "\n".join([_IT, wrapped("\n".join(lines), _WIDTH), *_page(f"#{name}")])


def _page(section: str = "") -> list[str]:
    """Return the line with the page's address; none while the package has no repository."""
    for url in metadata("pytest-cpjob").get_all("Project-URL") or ():
        label, _, address = url.partition(", ")
        if label == "Documentation":
            return [f"  Page: {address.removesuffix('index.md')}findings.md{section}"]
    return []


def _filled(text: str) -> str:
    for name, value in _FOR_A_LAMBDA_JOB.items():
        text = text.replace(f"{{{name}}}", value)
    return text
