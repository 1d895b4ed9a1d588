"""The pytest plugin: fixtures, options and hooks. At load it imports pytest and no AWS library."""

from __future__ import annotations

import itertools
import os
import sys
import warnings
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_cpjob.aws.environment import configure_nothing
from pytest_cpjob.patching import Undo, restore_late_variables
from pytest_cpjob.plugin.loading import load_own_modules_plainly
from pytest_cpjob.plugin.options import check_flags, checked
from pytest_cpjob.settings import BUILT_IN_ACCOUNT, BUILT_IN_REGION, BUILT_IN_SEED

if TYPE_CHECKING:
    from pytest_cpjob import (
        ArtifactFactory,
        CodePipelineStub,
        CredentialsFactory,
        Endpoint,
        FakerGenerator,
        JobDetailsFactory,
        LambdaEventFactory,
        PipelineContextFactory,
        ThirdPartyJobDetailsFactory,
    )
    from pytest_cpjob.endpoint.server import EndpointServer
    from pytest_cpjob.settings import Settings

_UNDO: Final = pytest.StashKey[Undo]()
_SEED: Final = pytest.StashKey[str]()
_COUNTER: Final = pytest.StashKey[Iterator[int]]()
_SWEEP: Final = "_cpjob_sweep"
_SWEEPS: Final = {
    "cpjob_job_variants": "the other jobs that AWS can send",
    "cpjob_faults": "the faults that its calls can meet",
    "cpjob_warm": "a process that has run its handler before",
}
_STUB: Final = pytest.StashKey["CodePipelineStub"]()
_CALLED: Final = pytest.StashKey[bool]()
_NOT_PASSED: Final = pytest.StashKey[bool]()

_INI: Final = {
    "cpjob_seed": ("string", "Where the documents of all tests come from."),
    "cpjob_region": ("string", "The pipelines' region (default: us-east-1)."),
    "cpjob_account_id": ("string", "The pipelines' account (default: 123456789012)."),
    "cpjob_allow": ("args", "Names of findings that are not reported, separated by white space."),
    "cpjob_own_role": ("bool", "Whether a handler's own role may open the artifact bucket."),
}
_SEED_OPTION: Final = "--cpjob-seed="
_REPLAY: Final = f"replay these documents with {_SEED_OPTION}"
_BUILT_IN: Final = {
    "cpjob_seed": BUILT_IN_SEED,
    "cpjob_region": BUILT_IN_REGION,
    "cpjob_account_id": BUILT_IN_ACCOUNT,
    "cpjob_allow": [],
    "cpjob_own_role": False,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cpjob", "CodePipeline custom actions")
    group.addoption(
        "--cpjob-seed",
        metavar="SEED",
        help="Where the documents of all tests come from; 'random' for another seed each run.",
    )
    for name, (kind, text) in _INI.items():
        # The kinds are pytest's literals, which a table widens to str.
        parser.addini(name, text, type=kind, default=None)  # type: ignore[arg-type]
    parser.addini(
        "cpjob_aws_env",
        "Set a region and dummy credentials where a machine has no AWS configuration at all.",
        type="bool",
        default=True,
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    undo = Undo()
    early_config.stash[_UNDO] = undo
    early_config.add_cleanup(undo.all)
    load_own_modules_plainly(undo)
    check_flags(early_config)
    if early_config.getini("cpjob_aws_env"):
        region = early_config.getini("cpjob_region") or BUILT_IN_REGION
        configure_nothing(os.environ, region, undo)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "cpjob(*, seed=None, region=None, account_id=None, allow=[], own_role=None): options of"
        " the cpjob fixtures for this test; allow lists findings that are not reported.",
    )
    for name, what in _SWEEPS.items():
        config.addinivalue_line(
            "markers",
            f"{name}(*names, without=[]): run this test of the cpjob fixture again for {what}; all"
            " variations, or those of the names.",
        )
    seed = config.getoption("--cpjob-seed")
    if seed == "random":
        import secrets

        worker_input = getattr(config, "workerinput", None)
        seed = worker_input["cpjob_seed"] if worker_input else secrets.token_hex(4)
    if seed is not None:
        config.stash[_SEED] = seed


def pytest_warning_recorded(warning_message: warnings.WarningMessage) -> None:
    """Let an unknown option of ours in the ini file be an error, as one of the marker is."""
    _, found, name = str(warning_message.message).partition("Unknown config option: ")
    if found and name.startswith("cpjob_"):
        from pytest_cpjob.settings import nearest

        meant = nearest(name, (*_INI, "cpjob_aws_env"))
        raise pytest.UsageError(f"unknown option {name.strip()!r} in the ini file{meant}")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["cpjob_seed"] = node.config.stash.get(_SEED, None)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say in one line what differs, for the whole run, from what is built in."""
    told = []
    seed = config.stash.get(_SEED, None)
    if seed is not None:
        is_random = config.getoption("--cpjob-seed") == "random"
        told.append(f"{_REPLAY if is_random else _SEED_OPTION}{seed}")
    for name, built_in in {**_BUILT_IN, "cpjob_aws_env": True}.items():
        value = config.getini(name)
        if value not in (None, built_in) and not (name == "cpjob_seed" and told):
            told.append(f"{name} = {' '.join(value) if isinstance(value, list) else value}")
    return f"cpjob: {', '.join(told)}" if told else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    left_by_an_earlier_run: tuple[Any, ...] = (_STUB, _CALLED, _NOT_PASSED, _COUNTER)
    for key in left_by_an_earlier_run:
        if key in item.stash:
            del item.stash[key]


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    stub = item.stash.get(_STUB, None)
    if stub is None:
        return (yield)
    # Inside of pytest's own capture, which sets sys.stdout anew for each phase.
    with stub.observer.listening():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "teardown" and _active_stub() is None:
        restore_late_variables()
    stub = item.stash.get(_STUB, None)
    if stub is None:
        return report
    from pytest_cpjob.plugin import report as reporting

    if call.excinfo is not None and call.when != "teardown":
        item.stash[_NOT_PASSED] = True
    item.stash[_CALLED] = item.stash.get(_CALLED, False) or call.when == "call"
    reporting.hear(stub, report)
    if call.when == "teardown":
        if report.failed:
            reporting.show_findings_alone(report, call)
        failed = report.failed or item.stash.get(_NOT_PASSED, False)
        vars(report)["cpjob"] = reporting.tell(stub, failed=failed)
    if report.failed:
        try:
            reporting.mask_secrets(stub, report)
            reporting.explain_failure(stub, report)
        except Exception as error:
            # The test's own failure is never lost to what was to be said of it.
            report.sections.append(("cpjob", f"the jobs cannot be told of: {error!r}"))
    return report


def _active_stub() -> CodePipelineStub | None:
    stubs = sys.modules.get("pytest_cpjob.stub")
    stub: CodePipelineStub | None = None if stubs is None else stubs.active()
    return stub


@pytest.hookimpl(wrapper=True)
def pytest_assertrepr_compare(
    op: str, left: object, right: object
) -> Generator[None, list[list[str]], list[list[str]]]:
    others = yield
    stub = _active_stub() if op in ("==", "in") else None
    if stub is None:
        return others
    from pytest_cpjob.plugin.comparisons import explain_comparison

    return explain_comparison(stub.service, op, left, right, others)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    told = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if hasattr(report, "cpjob")
    ]
    if told:
        from pytest_cpjob.plugin.report import last_line

        line = last_line(told)
        if line is not None:
            terminalreporter.write_line(line, yellow=True)
    failed = terminalreporter.stats.get("failed") or terminalreporter.stats.get("error")
    if failed and config.getoption("--cpjob-seed") == "random":
        # In the header too, which `-q` leaves out.
        terminalreporter.write_line(f"cpjob: {_REPLAY}{config.stash[_SEED]}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    swept = [
        (name, marker) for name in _SWEEPS for marker in metafunc.definition.iter_markers(name)
    ]
    if not swept:
        return
    if "cpjob" not in metafunc.fixturenames:
        # A module's or a class's is for those of its tests that use the fixture.
        own = [mark.name for mark in metafunc.definition.own_markers if mark.name in _SWEEPS]
        if own:
            pytest.fail(
                f"{metafunc.definition.nodeid}: @pytest.mark.{own[0]} runs a test of the cpjob"
                " fixture again, and this test does not use that fixture: give it the argument"
                " cpjob, or a fixture that has it, or take the marker away",
                pytrace=False,
            )
        return
    from pytest_cpjob.settings import OptionError
    from pytest_cpjob.sweeps import variations

    try:
        chosen = {
            each.name: each
            for name, marker in swept
            for each in variations(name, marker.args, **marker.kwargs)
        }
    except OptionError as error:
        pytest.fail(f"{metafunc.definition.nodeid}: {error}", pytrace=False)
    metafunc.fixturenames.append(_SWEEP)
    metafunc.parametrize(_SWEEP, chosen.values(), ids=list(chosen), indirect=True)


@pytest.fixture
def _cpjob_sweep() -> None:
    """Which variation of a sweep this run is; the parameter itself is what tells."""


def _settings(request: pytest.FixtureRequest) -> Settings:
    """Resolve the options for one test: marker, outer markers, command line, ini."""
    from pytest_cpjob.requirements import require
    from pytest_cpjob.settings import OptionError, resolve

    require("pytest")
    config = request.config
    layers: list[Mapping[str, Any]] = []
    for marker in request.node.iter_markers("cpjob"):
        if marker.args:
            raise OptionError(
                f"@pytest.mark.cpjob takes keyword arguments only, got {marker.args!r}"
            )
        layers.append(marker.kwargs)
    layers.append({"seed": config.stash.get(_SEED, None)})
    layers.append(checked({name: config.getini(name) for name in _INI}))
    return resolve(layers, test_id=request.node.nodeid)


def _parts(request: pytest.FixtureRequest) -> tuple[Any, Iterator[int], dict[str, str]]:
    """What every factory of one test is made of: its stream, its counter and its defaults."""
    from pytest_cpjob.documents.streams import Stream

    settings = _settings(request)
    counter = request.node.stash.setdefault(_COUNTER, itertools.count())
    stream = Stream(settings.seed, settings.test_id)
    return stream, counter, {"region": settings.region, "account_id": settings.account_id}


@pytest.fixture
def cpjob(request: pytest.FixtureRequest) -> CodePipelineStub:
    """CodePipeline's job service, answering every boto3 client during this test."""
    from pytest_cpjob.stub import CodePipelineStub

    stub = CodePipelineStub.with_settings(_settings(request))
    stub.start()
    stub.observer.is_tested_by(request.function)
    parameters = getattr(request.node, "callspec", None)
    if parameters is not None and _SWEEP in parameters.params:
        stub.vary(parameters.params[_SWEEP])
    request.node.stash[_STUB] = stub

    def finish() -> None:
        try:
            stub.settle()
            # A test that Ctrl-C has ended has no report, and owes nothing.
            stash = request.node.stash
            if stash.get(_CALLED, False) and not stash.get(_NOT_PASSED, False):
                stub.check()
        finally:
            stub.stop()

    # Not `yield`: a fixture's return annotation is what users annotate their arguments with.
    request.addfinalizer(finish)  # noqa: PT021
    return stub


@pytest.fixture(scope="session")
def _cpjob_server() -> Iterator[EndpointServer]:
    """The HTTP server of the whole run, made when the first test asks for it."""
    from pytest_cpjob.endpoint.server import EndpointServer

    server = EndpointServer()
    yield server
    server.stop()


@pytest.fixture
def cpjob_endpoint(
    request: pytest.FixtureRequest, _cpjob_server: EndpointServer, cpjob: CodePipelineStub
) -> Endpoint:
    """The same service, S3 and all of moto on a real loopback port: .url, .env, .run(args)."""
    from pytest_cpjob.endpoint.server import Endpoint, reach_without_proxy

    # Not `yield`, as for `cpjob`.
    undo = Undo()
    request.addfinalizer(undo.all)
    reach_without_proxy(undo)
    cpjob.store.start()
    _cpjob_server.serve(cpjob)
    request.addfinalizer(_cpjob_server.end)  # noqa: PT021
    return Endpoint(_cpjob_server, cpjob.settings.region)


@pytest.fixture
def cpjob_details_factory(request: pytest.FixtureRequest) -> JobDetailsFactory:
    """Make GetJobDetails responses: {"jobDetails": {...}}."""
    from pytest_cpjob.documents.factories import JobDetailsFactory

    stream, counter, defaults = _parts(request)
    return JobDetailsFactory(stream, counter, **defaults)


@pytest.fixture
def cpjob_third_party_details_factory(
    request: pytest.FixtureRequest,
) -> ThirdPartyJobDetailsFactory:
    """Make GetThirdPartyJobDetails responses, as partners' workers get them."""
    from pytest_cpjob.documents.factories import ThirdPartyJobDetailsFactory

    stream, counter, defaults = _parts(request)
    return ThirdPartyJobDetailsFactory(stream, counter, **defaults)


@pytest.fixture
def cpjob_event_factory(request: pytest.FixtureRequest) -> LambdaEventFactory:
    """Make the events that Lambda functions are invoked with: {"CodePipeline.job": ...}."""
    from pytest_cpjob.documents.factories import LambdaEventFactory

    stream, counter, defaults = _parts(request)
    return LambdaEventFactory(stream, counter, **defaults)


@pytest.fixture
def cpjob_artifact_factory(request: pytest.FixtureRequest) -> ArtifactFactory:
    """Make one Artifact: its name, its revision, its place in S3."""
    from pytest_cpjob.documents.part_factories import ArtifactFactory

    stream, counter, defaults = _parts(request)
    return ArtifactFactory(stream, counter, **defaults)


@pytest.fixture
def cpjob_credentials_factory(request: pytest.FixtureRequest) -> CredentialsFactory:
    """Make AWSSessionCredentials that look like STS's and open nothing."""
    from pytest_cpjob.documents.part_factories import CredentialsFactory

    stream, counter, defaults = _parts(request)
    return CredentialsFactory(stream, counter, **defaults)


@pytest.fixture
def cpjob_pipeline_context_factory(request: pytest.FixtureRequest) -> PipelineContextFactory:
    """Make a PipelineContext: pipeline, stage and action (third_party=True: without the ARN)."""
    from pytest_cpjob.documents.part_factories import PipelineContextFactory

    stream, counter, defaults = _parts(request)
    return PipelineContextFactory(stream, counter, **defaults)


@pytest.fixture
def cpjob_faker(request: pytest.FixtureRequest) -> FakerGenerator:
    """A Faker generator seeded from the test's name, that knows CodePipeline's values."""
    from pytest_cpjob.documents.faker_provider import seeded_generator

    stream, _, _ = _parts(request)
    return seeded_generator(stream.at("faker"))
