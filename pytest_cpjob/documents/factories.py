"""The factories of whole documents: callables returning fresh plain dicts, as AWS sends them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pytest_cpjob.documents import render
from pytest_cpjob.documents.facts import Credentials
from pytest_cpjob.documents.job_arguments import (
    ActionTypeArgument,
    ArtifactsArgument,
    EncryptionKeyArgument,
    UserParameters,
    job_facts,
    text,
)
from pytest_cpjob.documents.part_factories import Factory
from pytest_cpjob.documents.streams import job_stream
from pytest_cpjob.documents.timestamps import first_expiration
from pytest_cpjob.documents.type_defs import (
    GetJobDetailsResponse,
    GetThirdPartyJobDetailsResponse,
    LambdaEvent,
)

DEFAULT_INPUTS: Final = ("SourceArtifact",)
DEFAULT_OUTPUTS: Final = ("BuildArtifact",)


class JobDetailsFactory(Factory):
    """Makes GetJobDetails responses, `{"jobDetails": {"id", "data", "accountId"}}`.

    Every argument may be left out; what is left out is drawn, or one input and one output artifact.
    `action_type` is `"Category:Owner:Provider:Version"` or its dict; with `user_parameters` or
    `function_name` the job is a Lambda's. Artifacts are names or Artifact dicts. `encryption_key`
    is `True` (a realistic key ARN), a key id, a key ARN or an alias ARN. The dict returned is the
    caller's own.

    Raises:
        ValueError: AWS could not send a value; it names the argument, the rule and the value.

    >>> details = cpjob_details_factory(pipeline_name="web", encryption_key=True)["jobDetails"]
    >>> details["data"]["pipelineContext"]["pipelineName"]
    'web'

    Model shape: GetJobDetailsOutput; page: API reference, GetJobDetails.
    """

    def __call__(
        self,
        *,
        job_id: str | None = None,
        account_id: str | None = None,
        region: str | None = None,
        pipeline_name: str | None = None,
        stage_name: str | None = None,
        action_name: str | None = None,
        action_type: ActionTypeArgument | None = None,
        configuration: Mapping[str, str] | None = None,
        input_artifacts: ArtifactsArgument | None = None,
        output_artifacts: ArtifactsArgument | None = None,
        artifact_bucket: str | None = None,
        encryption_key: EncryptionKeyArgument | None = None,
        continuation_token: str | None = None,
        user_parameters: UserParameters | None = None,
        function_name: str | None = None,
    ) -> GetJobDetailsResponse:
        """Return one response; the arguments are the class's."""
        stream = job_stream(self._stream, self._counter, job_id)
        facts = job_facts(
            stream,
            region=self._region if region is None else region,
            account_id=self._account_id if account_id is None else account_id,
            kind="any",
            job_id=job_id,
            pipeline_name=pipeline_name,
            stage_name=stage_name,
            action_name=action_name,
            action_type=action_type,
            configuration=configuration,
            input_artifacts=input_artifacts,
            output_artifacts=output_artifacts,
            artifact_bucket=artifact_bucket,
            encryption_key=encryption_key,
            continuation_token=continuation_token,
            user_parameters=user_parameters,
            function_name=function_name,
            default_inputs=DEFAULT_INPUTS,
            default_outputs=DEFAULT_OUTPUTS,
        )
        return render.job_details(facts, Credentials.draw(stream.at("credentials").values))


class ThirdPartyJobDetailsFactory(Factory):
    """Makes GetThirdPartyJobDetails responses, `{"jobDetails": {"id", "data", "nonce"}}`.

    Arguments as for `JobDetailsFactory`, but the action type's owner is ThirdParty and a job id may
    be any text of 1 to 512 characters. `client_id` and `client_token` are checked and are not part
    of the document: a partner's worker gets the one from its poll and keeps the other itself.

    Raises:
        ValueError: AWS could not send a value; it names the argument, the rule and the value.

    >>> "accountId" in cpjob_third_party_details_factory()["jobDetails"]
    False

    Model shape: GetThirdPartyJobDetailsOutput; page: API reference, GetThirdPartyJobDetails.
    """

    def __call__(
        self,
        *,
        job_id: str | None = None,
        account_id: str | None = None,
        region: str | None = None,
        pipeline_name: str | None = None,
        stage_name: str | None = None,
        action_name: str | None = None,
        action_type: ActionTypeArgument | None = None,
        configuration: Mapping[str, str] | None = None,
        input_artifacts: ArtifactsArgument | None = None,
        output_artifacts: ArtifactsArgument | None = None,
        artifact_bucket: str | None = None,
        encryption_key: EncryptionKeyArgument | None = None,
        continuation_token: str | None = None,
        client_id: str | None = None,
        client_token: str | None = None,
    ) -> GetThirdPartyJobDetailsResponse:
        """Return one response; the arguments are the class's."""
        text("client_id", "ClientId", client_id, "")
        text("client_token", "ClientToken", client_token, "")
        stream = job_stream(self._stream, self._counter, job_id)
        facts = job_facts(
            stream,
            region=self._region if region is None else region,
            account_id=self._account_id if account_id is None else account_id,
            kind="third-party",
            job_id=job_id,
            pipeline_name=pipeline_name,
            stage_name=stage_name,
            action_name=action_name,
            action_type=action_type,
            configuration=configuration,
            input_artifacts=input_artifacts,
            output_artifacts=output_artifacts,
            artifact_bucket=artifact_bucket,
            encryption_key=encryption_key,
            continuation_token=continuation_token,
            default_inputs=DEFAULT_INPUTS,
            default_outputs=DEFAULT_OUTPUTS,
        )
        credentials = Credentials.draw(stream.at("credentials").values)
        nonce = stream.at("nonce").values.nonce()
        return render.third_party_job_details(facts, credentials, nonce)


class LambdaEventFactory(Factory):
    """Makes the events of Lambda actions, `{"CodePipeline.job": {"id", "accountId", "data"}}`.

    Arguments as for `JobDetailsFactory`; the action type is always Invoke:AWS:Lambda:1.
    `user_parameters` is text, or a dict or list that becomes JSON text. As in AWS's events,
    `UserParameters`, `continuationToken` and `encryptionKey` are absent when there are none, an
    output artifact's `revision` is `None`, the credentials have an `expirationTime` (milliseconds
    since 1970), and there is no action type and no pipeline context.

    Raises:
        ValueError: AWS could not send a value; it names the argument, the rule and the value.

    >>> event = cpjob_event_factory(user_parameters={"theme": "dark"})
    >>> event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]["UserParameters"]
    '{"theme": "dark"}'

    Page: the user guide, "Invoke an AWS Lambda function in a pipeline", JSON event example.
    """

    def __call__(
        self,
        *,
        job_id: str | None = None,
        account_id: str | None = None,
        region: str | None = None,
        pipeline_name: str | None = None,
        stage_name: str | None = None,
        action_name: str | None = None,
        action_type: ActionTypeArgument | None = None,
        configuration: Mapping[str, str] | None = None,
        input_artifacts: ArtifactsArgument | None = None,
        output_artifacts: ArtifactsArgument | None = None,
        artifact_bucket: str | None = None,
        encryption_key: EncryptionKeyArgument | None = None,
        continuation_token: str | None = None,
        user_parameters: UserParameters | None = None,
        function_name: str | None = None,
    ) -> LambdaEvent:
        """Return one event; the arguments are the class's."""
        stream = job_stream(self._stream, self._counter, job_id)
        facts = job_facts(
            stream,
            region=self._region if region is None else region,
            account_id=self._account_id if account_id is None else account_id,
            kind="lambda",
            job_id=job_id,
            pipeline_name=pipeline_name,
            stage_name=stage_name,
            action_name=action_name,
            action_type=action_type,
            configuration=configuration,
            input_artifacts=input_artifacts,
            output_artifacts=output_artifacts,
            artifact_bucket=artifact_bucket,
            encryption_key=encryption_key,
            continuation_token=continuation_token,
            user_parameters=user_parameters,
            function_name=function_name,
            default_inputs=DEFAULT_INPUTS,
            default_outputs=DEFAULT_OUTPUTS,
        )
        credentials = Credentials.draw(stream.at("credentials").values)
        return render.lambda_event(facts, credentials, first_expiration(stream.at("clock")))
