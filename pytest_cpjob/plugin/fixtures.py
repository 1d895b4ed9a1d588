"""The fixtures. The modules that they need are imported when a test first uses one."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_cpjob.patching import Undo
from pytest_cpjob.plugin.current_test import current_test
from pytest_cpjob.plugin.options import report_width, settings_of
from pytest_cpjob.plugin.progress import EARLIER_OUTPUT, PROGRESS, Progress

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

_COUNTER: Final = pytest.StashKey[Iterator[int]]()
SWEEP: Final = "_cpjob_sweep"
"""The name of the parameter for the variation of a sweep."""


def forget(item: pytest.Item) -> None:
    """Delete what is stored for a test, so that it does not outlive the report."""
    stash = item.stash
    kept: tuple[pytest.StashKey[Any], ...] = (PROGRESS, EARLIER_OUTPUT, _COUNTER)
    for key in kept if stash else ():
        if key in stash:
            del stash[key]


@pytest.fixture
def _cpjob_sweep() -> None:
    """Exists only to be parametrized with the variations of a sweep."""


def _parts(request: pytest.FixtureRequest) -> tuple[Any, Iterator[int], dict[str, str]]:
    """What every factory of one test is created with: a stream, a counter and defaults."""
    from pytest_cpjob.documents.streams import Stream

    settings = settings_of(request.node)
    counter = request.node.stash.setdefault(_COUNTER, itertools.count())
    stream = Stream(settings.seed, settings.test_id)
    return stream, counter, {"region": settings.region, "account_id": settings.account_id}


@pytest.fixture
def cpjob() -> CodePipelineStub:
    """CodePipeline's job service, answering every boto3 client during this test.
    >>> assert cpjob.add_lambda_job().invoke(lambda_handler).status == "Succeeded"
    """
    from pytest_cpjob.stub import CodePipelineStub

    item = current_test()
    stub = CodePipelineStub._with(settings_of(item))
    harness = stub._harness
    harness.observer.directory = str(item.config.invocation_params.dir)
    harness.report_width = functools.partial(report_width, item.config)
    progress = Progress(harness)

    def finish() -> None:
        if not harness.is_active:
            return
        try:
            harness.settle()
            # A test that was interrupted by Ctrl-C has no report, so nothing is checked.
            if progress.has_ended and progress.has_passed:
                stub.check()
        finally:
            harness.stop()

    # Not `yield`: a fixture's return annotation is what users annotate their arguments with. And
    # before the start: whatever is raised from then on, the stub does not stay active.
    item.addfinalizer(finish)
    stub._start()
    harness.observer.is_tested_by(_test_function(item))
    parameters = getattr(item, "callspec", None)
    if parameters is not None and SWEEP in parameters.params:
        harness.vary(parameters.params[SWEEP])
    item.stash[PROGRESS] = progress
    return stub


def _test_function(item: pytest.Item) -> object:
    """Return the function that a test runs; a doctest has none."""
    function: object = getattr(item, "function", None)
    while isinstance(function, functools.partial):
        function = function.func
    return function


@pytest.fixture(scope="session")
def _cpjob_server() -> Iterator[EndpointServer]:
    """The HTTP server of the whole run, created for the first test that needs it."""
    from pytest_cpjob.endpoint.server import EndpointServer

    server = EndpointServer()
    yield server
    server.stop()


@pytest.fixture
def cpjob_endpoint(
    request: pytest.FixtureRequest, _cpjob_server: EndpointServer, cpjob: CodePipelineStub
) -> Endpoint:
    """The service, S3, all of moto on a loopback port: .url, .env, .run(args), .start(args).
    >>> cpjob_endpoint.run(["node", "worker.js"], timeout=60)  # doctest: +SKIP
    """
    from pytest_cpjob.endpoint.server import Endpoint, reach_without_proxy

    # Not `yield`, as for `cpjob`.
    undo = Undo()
    request.addfinalizer(undo.all)
    reach_without_proxy(undo)
    cpjob._harness.store.start()
    _cpjob_server.serve(cpjob._harness)
    request.addfinalizer(_cpjob_server.end)
    # Before the server's end: what fixtures have started is answered for as long as it runs.
    request.addfinalizer(cpjob._harness.end_running)  # noqa: PT021
    return Endpoint(_cpjob_server, cpjob._harness)


@pytest.fixture
def cpjob_details_factory(request: pytest.FixtureRequest) -> JobDetailsFactory:
    """Make GetJobDetails responses: {"jobDetails": {...}}.
    >>> data = cpjob_details_factory(pipeline_name="web")["jobDetails"]["data"]
    """
    from pytest_cpjob.documents.factories import JobDetailsFactory

    stream, counter, defaults = _parts(request)
    return JobDetailsFactory(stream, counter, **defaults)


@pytest.fixture
def cpjob_third_party_details_factory(
    request: pytest.FixtureRequest,
) -> ThirdPartyJobDetailsFactory:
    """Make GetThirdPartyJobDetails responses, as partners' workers get them.
    >>> nonce = cpjob_third_party_details_factory()["jobDetails"]["nonce"]
    """
    from pytest_cpjob.documents.factories import ThirdPartyJobDetailsFactory

    stream, counter, defaults = _parts(request)
    return ThirdPartyJobDetailsFactory(stream, counter, **defaults)


@pytest.fixture
def cpjob_event_factory(request: pytest.FixtureRequest) -> LambdaEventFactory:
    """Make the events that Lambda functions are invoked with: {"CodePipeline.job": ...}.
    >>> event = cpjob_event_factory(user_parameters={"theme": "dark"})
    """
    from pytest_cpjob.documents.factories import LambdaEventFactory

    stream, counter, defaults = _parts(request)
    return LambdaEventFactory(stream, counter, **defaults)


@pytest.fixture
def cpjob_artifact_factory(request: pytest.FixtureRequest) -> ArtifactFactory:
    """Make one Artifact: its name, its revision, its place in S3.
    >>> source = cpjob_artifact_factory(name="Source", revision=True)
    """
    from pytest_cpjob.documents.part_factories import ArtifactFactory

    stream, counter, defaults = _parts(request)
    return ArtifactFactory(stream, counter, **defaults)


@pytest.fixture
def cpjob_credentials_factory(request: pytest.FixtureRequest) -> CredentialsFactory:
    """Make AWSSessionCredentials that look like STS's and give access to nothing.
    >>> access_key_id = cpjob_credentials_factory()["accessKeyId"]
    """
    from pytest_cpjob.documents.part_factories import CredentialsFactory

    stream, counter, defaults = _parts(request)
    return CredentialsFactory(stream, counter, **defaults)


@pytest.fixture
def cpjob_pipeline_context_factory(request: pytest.FixtureRequest) -> PipelineContextFactory:
    """Make a PipelineContext: pipeline, stage and action (third_party=True: without the ARN).
    >>> arn = cpjob_pipeline_context_factory(pipeline_name="web")["pipelineArn"]
    """
    from pytest_cpjob.documents.part_factories import PipelineContextFactory

    stream, counter, defaults = _parts(request)
    return PipelineContextFactory(stream, counter, **defaults)


@pytest.fixture
def cpjob_faker(request: pytest.FixtureRequest) -> FakerGenerator:
    """A Faker generator with CodePipeline's values, seeded from the test's name.
    >>> arn = cpjob_faker.pipeline_arn("web", account_id="123456789012")
    """
    from pytest_cpjob.documents.faker_provider import seeded_generator

    stream, _, _ = _parts(request)
    return seeded_generator(stream.at("faker"))
