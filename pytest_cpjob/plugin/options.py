"""Options of the marker, the ini file and the command line: the layers that `settings` resolves."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_cpjob.defaults import BUILT_IN_ACCOUNT, BUILT_IN_REGION, BUILT_IN_SEED

if TYPE_CHECKING:
    from pytest_cpjob.settings import Settings

INI: Final = {
    "cpjob_seed": ("string", "The seed of the documents of all tests (default: cpjob)."),
    "cpjob_region": ("string", "The pipelines' region (default: us-east-1)."),
    "cpjob_account_id": ("string", "The pipelines' account (default: 123456789012)."),
    "cpjob_allow": (
        "args",
        "Names of findings that are not reported, separated by white space (default: none);"
        " `pytest --markers` lists them.",
    ),
    "cpjob_own_role": (
        "bool",
        "Whether a handler's own role may open the artifact bucket (default: false).",
    ),
    "cpjob_role_policy": (
        "string",
        "File with the policy of the role that handlers have (default: none).",
    ),
}
"""The options in the ini file: pytest's type of the value, and the help text."""

SEED: Final = pytest.StashKey[str]()
"""The command line's seed."""

REPORT: Final = pytest.StashKey[bool]()
"""Whether a report of the run shows what happened to the jobs: ours, or pytest-html's."""

_UNMARKED: Final = pytest.StashKey["Settings"]()
"""The settings of tests without a marker."""

BUILT_IN: Final = {
    "cpjob_seed": BUILT_IN_SEED,
    "cpjob_region": BUILT_IN_REGION,
    "cpjob_account_id": BUILT_IN_ACCOUNT,
    "cpjob_allow": [],
    "cpjob_own_role": False,
    "cpjob_role_policy": None,
    "cpjob_aws_env": True,
    "cpjob_stop_calls_at_import": False,
}

NO_TERMINAL: Final = 80
"""How many columns a report has that no terminal shows."""

FLAGS: Final = ("cpjob_own_role", "cpjob_aws_env", "cpjob_stop_calls_at_import")
"""Options of the ini file that are true or false."""


def add_options(parser: pytest.Parser) -> None:
    """Add the command line's options and the ini file's."""
    group = parser.getgroup("cpjob", "CodePipeline custom actions")
    group.addoption(
        "--cpjob-seed",
        metavar="SEED",
        help="The seed of the documents of all tests; 'random' for a different seed each run"
        " (default: the ini file's cpjob_seed).",
    )
    group.addoption(
        "--cpjob-report",
        metavar="FILE",
        action="append",
        default=[],
        help="Write what happened to the jobs of each test to FILE.html, a page to look at, or to"
        " FILE.md, for a CI job's summary; may be given twice (default: none).",
    )
    for name, (kind, text) in INI.items():
        # The types are literals for pytest, but the table's type widens them to str.
        parser.addini(name, text, type=kind, default=None)  # type: ignore[arg-type]
    parser.addini(
        "cpjob_aws_env",
        "Whether clients can be made while code is imported although no region is known, and calls"
        " be stopped then where the machine has no AWS configuration (default: true).",
        type="bool",
        default=True,
    )
    parser.addini(
        "cpjob_stop_calls_at_import",
        "Whether AWS calls at import are stopped, whatever the machine has configured (default:"
        " false).",
        type="bool",
        default=False,
    )


def report_width(config: pytest.Config) -> int:
    """Return how many columns the terminal has, in a worker of pytest-xdist the main process's."""
    worker_input = getattr(config, "workerinput", None)
    if worker_input is not None:
        return int(worker_input["cpjob_width"])
    if not config.pluginmanager.has_plugin("terminalreporter"):
        return NO_TERMINAL
    return config.get_terminal_writer().fullwidth


def check_flags(config: pytest.Config) -> None:
    """Reject ini values that are not booleans, before any test runs.

    Raises:
        pytest.UsageError: naming the option.
    """
    for name in FLAGS:
        try:
            config.getini(name)
        except (pytest.UsageError, TypeError, ValueError) as error:  # depends on pytest's version
            raise pytest.UsageError(f"{name}: {error}; write true or false") from None


def check_ini(config: pytest.Config) -> None:
    """Reject unknown options and invalid values in the ini file, before any test is collected.

    Raises:
        pytest.UsageError: in one line, naming the option.
    """
    given = _given(config)
    for name in given:
        if name.startswith("cpjob_") and name not in (*INI, *FLAGS) and not _is_known(config, name):
            from pytest_cpjob.settings import nearest

            meant = nearest(name, (*INI, *FLAGS))
            raise pytest.UsageError(f"unknown option {name!r} in the ini file{meant}")
    values = {name: _ini_value(config, name, given) for name in INI}
    if values["cpjob_seed"] == "random":
        raise pytest.UsageError(
            "cpjob_seed: 'random' is for the command line, which says how to replay it; write"
            " addopts = --cpjob-seed=random, or another seed"
        )
    try:
        _check_layer(_without_prefix(values))
        if values["cpjob_role_policy"] is not None:
            from pytest_cpjob.iam.role_policies import permissions_given

            permissions_given(_ini_values(config)["role_policy"])
    except ValueError as error:
        raise pytest.UsageError(f"cpjob_{' '.join(str(error).split())}") from None


def _given(config: pytest.Config) -> dict[str, object]:
    """Return the options in the ini file as they are written, those of pytest and others too.

    pytest itself only warns of unknown ones, and not where warnings are ignored.
    """
    with warnings.catch_warnings():
        # Deprecated since pytest 9.1, which has nothing else to offer.
        warnings.simplefilter("ignore")
        return dict(getattr(config, "inicfg", {}))


def _is_known(config: pytest.Config, name: str) -> bool:
    """Whether a conftest or another plugin has added the option."""
    try:
        config.getini(name)
    except ValueError:
        return False
    return True


def _ini_value(config: pytest.Config, name: str, given: Mapping[str, object]) -> object:
    try:
        return config.getini(name)
    except (pytest.UsageError, TypeError, ValueError) as error:  # depends on pytest's version
        way_out = "write names of findings, separated by white space, with each quote closed"
        if name != "cpjob_allow":
            way_out = "write one string"
        raise pytest.UsageError(f"{name}: {error}, got {given.get(name)!r}; {way_out}") from None


def _check_layer(layer: Mapping[str, Any]) -> None:
    """Check options of one place, without their prefix; None means not given.

    Raises:
        ValueError: one is unknown or invalid; the message begins with its name.
    """
    if all(value is None for value in layer.values()):
        return
    from pytest_cpjob.documents.job_arguments import account_id_checked, region_checked
    from pytest_cpjob.settings import resolve

    settings = resolve([layer])
    region_checked(settings.region)
    account_id_checked(settings.account_id)


def _ini_values(config: pytest.Config) -> dict[str, Any]:
    """Return the ini file's options, unprefixed; a file that it names is relative to it."""
    values = {name: config.getini(name) for name in INI}
    if values["cpjob_role_policy"] is not None:
        folder = config.rootpath if config.inipath is None else config.inipath.parent
        values["cpjob_role_policy"] = str(folder / values["cpjob_role_policy"])
    return _without_prefix(values)


def _without_prefix(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("cpjob_"): value for name, value in values.items()}


def settings_of(item: pytest.Item) -> Settings:
    """Resolve the options for one test: marker, outer markers, command line, ini."""
    from pytest_cpjob.requirements import require
    from pytest_cpjob.settings import resolve

    require("pytest")
    config = item.config
    try:
        markers = [_options_of(marker) for marker in item.iter_markers("cpjob")]
    except ValueError as error:
        told = f"@pytest.mark.cpjob: {error}"
        raise pytest.fail.Exception(told, pytrace=False) from None
    test_id = item.nodeid
    if markers:
        return resolve([*markers, *_of_the_run(config)], test_id=test_id)
    if _UNMARKED not in config.stash:
        config.stash[_UNMARKED] = resolve(_of_the_run(config))
    return config.stash[_UNMARKED].of_test(test_id)


def _of_the_run(config: pytest.Config) -> list[Mapping[str, Any]]:
    """Return the options of the command line and the ini file."""
    return [{"seed": config.stash.get(SEED, None)}, _ini_values(config)]


def _options_of(marker: pytest.Mark) -> Mapping[str, Any]:
    """Return a marker's options, each of them valid.

    Raises:
        ValueError: one is unknown or invalid, or has no name.
    """
    from pytest_cpjob.settings import OptionError

    if marker.args:
        raise OptionError(f"it takes keyword arguments only, got {marker.args!r}")
    _check_layer(marker.kwargs)
    return marker.kwargs
