"""`python -m pytest_cpjob draw`: a pipeline's definition as a Mermaid flow chart, or as SVG."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any

from pytest_cpjob.defaults import BUILT_IN_ACCOUNT, BUILT_IN_REGION, BUILT_IN_SEED

if TYPE_CHECKING:
    from pytest_cpjob.pipelines.unresolved import Need

Pairs = Callable[[str, Sequence[str]], Mapping[str, str]]

_REPEATED = {
    "parameter": "a parameter of the template",
    "import": "the value of an Fn::ImportValue, by export name",
    "dynamic-reference": "a value by the text between {{resolve: and }}",
}


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument(
        "definition",
        nargs="+",
        metavar="TEMPLATE",
        help="a CloudFormation, SAM or CDK template, the output of get-pipeline or of 'terraform"
        " show -json'; several templates that are deployed together",
    )
    command.add_argument(
        "--format",
        choices=("mermaid", "svg"),
        default="mermaid",
        help="Mermaid text (the default), or an SVG picture",
    )
    command.add_argument("--name", help="which pipeline, where there are several")
    command.add_argument("--region", default=BUILT_IN_REGION, help="the pipeline's region")
    command.add_argument("--account-id", default=BUILT_IN_ACCOUNT, help="the pipeline's account")
    for option, text in _REPEATED.items():
        command.add_argument(
            f"--{option}",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help=f"{text} (may be repeated)",
        )


def drawn(given: argparse.Namespace, pairs: Pairs) -> str:
    """Return the definition as Mermaid text, or as SVG.

    Args:
        pairs: reads the values of an option that is `NAME=VALUE`.

    Raises:
        ValueError: it cannot be read, or CreatePipeline would refuse it.
        CpjobError: a template is YAML, and PyYAML is not installed.
    """
    from pytest_cpjob.documents.streams import Stream
    from pytest_cpjob.pipelines.definition import MissingValues
    from pytest_cpjob.pipelines.drawing import definition_mermaid
    from pytest_cpjob.pipelines.loader import load_definition

    options: Mapping[str, Any] = vars(given)
    files = given.definition
    try:
        loaded = load_definition(
            files[0] if len(files) == 1 else files,
            name=given.name,
            parameters=pairs("--parameter", given.parameter),
            imports=pairs("--import", options["import"]),
            dynamic_references=pairs("--dynamic-reference", given.dynamic_reference),
            region=None,
            account_id=None,
            default_region=given.region,
            default_account_id=given.account_id,
            stream=Stream(BUILT_IN_SEED, "command line"),
        )
    except MissingValues as error:
        raise ValueError(error.told(_option)) from None
    if given.format == "svg":
        from pytest_cpjob.pipelines.svg import definition_svg

        return definition_svg(loaded.declaration)
    return definition_mermaid(loaded.declaration).rstrip("\n")


def _option(need: Need) -> str:
    """Return the option that gives a value, as a shell takes it."""
    name = need.argument.removesuffix("s").replace("_", "-")
    return f"--{name} {quote(need.key)}=..."
