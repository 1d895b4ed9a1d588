"""The factories of whole documents: callables returning fresh plain dicts, as AWS sends them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.documents import render
from pytest_cpjob.documents.argument_lists import (
    LambdaDocumentArguments,
    ThirdPartyDocumentArguments,
    takes,
)
from pytest_cpjob.documents.facts import Credentials, JobFacts
from pytest_cpjob.documents.job_arguments import Kind, job_facts, text
from pytest_cpjob.documents.part_factories import Factory
from pytest_cpjob.documents.streams import Stream, job_stream
from pytest_cpjob.documents.timestamps import first_expiration
from pytest_cpjob.documents.type_defs import (
    GetJobDetailsResponse,
    GetThirdPartyJobDetailsResponse,
    LambdaEvent,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

DEFAULT_INPUTS: Final = ("SourceArtifact",)
DEFAULT_OUTPUTS: Final = ("BuildArtifact",)


class DocumentFactory(Factory):
    """Makes whole documents: one input and one output artifact where the test names none."""

    def _job_stream(self, arguments: Mapping[str, Any]) -> Stream:
        return job_stream(self._stream, self._counter, arguments.get("job_id"))

    def _facts(self, stream: Stream, kind: Kind, arguments: Mapping[str, Any]) -> JobFacts:
        given = {name: value for name, value in arguments.items() if value is not None}
        defaults = {"region": self._region, "account_id": self._account_id}
        return job_facts(
            stream,
            kind=kind,
            default_inputs=DEFAULT_INPUTS,
            default_outputs=DEFAULT_OUTPUTS,
            **{**defaults, **given},
        )


class JobDetailsFactory(DocumentFactory):
    """Makes GetJobDetails responses, `{"jobDetails": {"id", "data", "accountId"}}`.

    Every argument is optional: omitted values are drawn, omitted artifacts are one input and one
    output. `action_type` is `"Category:Owner:Provider:Version"` or its dict; with
    `user_parameters` or `function_name` the job is a Lambda action's. Artifacts are names or
    Artifact dicts. `encryption_key` is `True` (a realistic key ARN), a key id, a key ARN or an
    alias ARN. The returned dict belongs to the caller.

    Raises:
        ValueError: AWS could not send a value; the message names argument, rule and value.

    >>> details = cpjob_details_factory(pipeline_name="web", encryption_key=True)["jobDetails"]
    >>> details["data"]["pipelineContext"]["pipelineName"]
    'web'

    Model shape: GetJobDetailsOutput; page: API reference, GetJobDetails.
    """

    @takes(LambdaDocumentArguments)
    def __call__(self, **arguments: Unpack[LambdaDocumentArguments]) -> GetJobDetailsResponse:
        """Return one response; the class documents the arguments."""
        stream = self._job_stream(arguments)
        facts = self._facts(stream, "any", arguments)
        return render.job_details(facts, Credentials.draw(stream.at("credentials").random))


class ThirdPartyJobDetailsFactory(DocumentFactory):
    """Makes GetThirdPartyJobDetails responses, `{"jobDetails": {"id", "data", "nonce"}}`.

    Arguments as for `JobDetailsFactory`, but the action type's owner is ThirdParty and a job id may
    be any text of 1 to 512 characters. `client_id` and `client_token` are checked and are not part
    of the document: a partner's worker gets the id from its poll and stores the token itself.

    Raises:
        ValueError: AWS could not send a value; the message names argument, rule and value.

    >>> "accountId" in cpjob_third_party_details_factory()["jobDetails"]
    False

    Model shape: GetThirdPartyJobDetailsOutput; page: API reference, GetThirdPartyJobDetails.
    """

    @takes(ThirdPartyDocumentArguments)
    def __call__(
        self, **arguments: Unpack[ThirdPartyDocumentArguments]
    ) -> GetThirdPartyJobDetailsResponse:
        """Return one response; the class documents the arguments."""
        text("client_id", "ClientId", arguments.pop("client_id", None), "")
        text("client_token", "ClientToken", arguments.pop("client_token", None), "")
        stream = self._job_stream(arguments)
        facts = self._facts(stream, "third-party", arguments)
        credentials = Credentials.draw(stream.at("credentials").random)
        nonce = stream.at("nonce").values.nonce()
        return render.third_party_job_details(facts, credentials, nonce)


class LambdaEventFactory(DocumentFactory):
    """Makes the events of Lambda actions, `{"CodePipeline.job": {"id", "accountId", "data"}}`.

    Arguments as for `JobDetailsFactory`; the action type is always Invoke:AWS:Lambda:1.
    `user_parameters` is text, or a dict or list that becomes JSON text. As in AWS's events,
    `UserParameters`, `continuationToken` and `encryptionKey` are absent when there are none, an
    output artifact's `revision` is `None`, the credentials have an `expirationTime` (milliseconds
    since 1970), and there is no action type and no pipeline context.

    Raises:
        ValueError: AWS could not send a value; the message names argument, rule and value.

    >>> event = cpjob_event_factory(user_parameters={"theme": "dark"})
    >>> event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]["UserParameters"]
    '{"theme": "dark"}'

    Page: the user guide, "Invoke an AWS Lambda function in a pipeline", JSON event example.
    """

    @takes(LambdaDocumentArguments)
    def __call__(self, **arguments: Unpack[LambdaDocumentArguments]) -> LambdaEvent:
        """Return one event; the class documents the arguments."""
        stream = self._job_stream(arguments)
        facts = self._facts(stream, "lambda", arguments)
        credentials = Credentials.draw(stream.at("credentials").random)
        return render.lambda_event(facts, credentials, first_expiration(stream.at("clock")))
