"""What users may rely on, name by name: a name that comes or goes changes a list here."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

import pytest
from pipeline_definitions import declaration

import pytest_cpjob
from pytest_cpjob import CodePipelineStub, StandIn, strategies
from pytest_cpjob.cli.parser import main

PACKAGE = """
ActionConfiguration ActionContext ActionExecution ActionTypeArgument ActionTypeId Artifact
ArtifactError ArtifactFactory ArtifactLocation AWSSessionCredentials Call CodePipelineProvider
CodePipelineStub Content ContractError CpjobError CredentialsFactory CurrentRevision EncryptionKey
EncryptionKeyArgument Endpoint EndpointProcess FakerGenerator FindingName GetJobDetailsResponse
GetThirdPartyJobDetailsResponse
HandlerError HOSTILE_ARTIFACTS Job JobArtifact JobData JobDetails JobDetailsFactory JobFacts
InputArtifact JobFailure JobSuccess LambdaArtifact LambdaContext LambdaEvent LambdaEventFactory
LambdaJob LambdaJobData LambdaSessionCredentials Pipeline PipelineContext PipelineContextFactory
PipelineExecution PipelineWarning PollJob S3ArtifactLocation StageContext StandIn
IneffectivePolicyWarning
ThirdPartyJobData ThirdPartyJobDetails ThirdPartyJobDetailsFactory ThirdPartyPipelineContext
UnexpectedResult UnfakedCallError UnknownVariableWarning WorkerError
"""
STRATEGIES = """
artifacts continuation_tokens credentials failure_details failure_messages FailureDetails
job_details lambda_events output_variables pipeline_contexts poll_jobs third_party_job_details
user_parameters
"""
STUB = """
add_action_type add_job add_job_from add_lambda_job add_pipeline add_third_party_job advance at
calls check client fail invoke jobs now results run_worker scheduled_event
"""
JOB = """
calls client_id client_token context continuation details encryption_key event facts
failure id input_artifacts invoke last nonce output_artifacts result state_change_event status
success timeline wait
"""
PIPELINE = "actions add_job arn declaration executions name run start"
EXECUTION = """
actions approve artifacts events id mermaid retry status status_summary stop timeline variables
"""
ACTION_EXECUTION = """
attempts error_code error_message id job jobs name output_variables resolved_configuration status
"""
ARTIFACT = "bucket content exists files key kms_key_id name put revision text uri"
ENDPOINT = "env run start url"
PROCESS = "args output pid poll returncode stderr stdout stop wait"
FIXTURES = """
cpjob cpjob_artifact_factory cpjob_credentials_factory cpjob_details_factory cpjob_endpoint
cpjob_event_factory cpjob_faker cpjob_pipeline_context_factory cpjob_third_party_details_factory
"""
MARKERS = """
cpjob cpjob_action_orders cpjob_faults cpjob_job_variants cpjob_stage_retries cpjob_warm
"""
OPTIONS = "account_id allow own_role region role_policy seed"
INI = """
cpjob_account_id cpjob_allow cpjob_aws_env cpjob_own_role cpjob_region cpjob_role_policy cpjob_seed
cpjob_stop_calls_at_import
"""
PYTEST_OPTIONS = "--cpjob-seed --cpjob-report"
FINDINGS = """
leaked-secret missing-output no-result not-acknowledged not-owner not-permitted output-encryption
own-role raised raised-after-result refused-request running-thread second-result unfaked-call
unused-fault
"""
WARNINGS = "ineffective-policy unknown-variable"
FOR_ALL = """
--account-id --action-name --artifact-bucket --configuration --continuation-token --encryption-key
--help --input-artifact --job-id --output-artifact --pipeline-name --region --seed --stage-name
"""
DOCUMENT = f"{FOR_ALL} --action-type --redact"
COMMANDS = {
    "draw": "--account-id --dynamic-reference --format --help --import --name --parameter --region",
    "details": f"{DOCUMENT} --function-name --user-parameters",
    "explain": "--help",
    "event": f"{DOCUMENT} --function-name --user-parameters",
    "poll": DOCUMENT,
    "redact": "--help --seed",
    "serve": f"{FOR_ALL} --allow-host --function-name --job --jobs --port --shell"
    " --user-parameters",
    "third-party": f"{DOCUMENT} --client-id --client-token",
}


def listed(names: str) -> list[str]:
    return sorted(names.split())


def public(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith("_"))


def test_the_package() -> None:
    assert sorted(pytest_cpjob.__all__) == listed(PACKAGE)


def test_the_strategies() -> None:
    assert sorted(strategies.__all__) == listed(STRATEGIES)


def test_the_stub(cpjob: CodePipelineStub) -> None:
    assert public(dir(cpjob)) == listed(STUB)


def test_a_job_and_its_artifacts(cpjob: CodePipelineStub) -> None:
    job = cpjob.add_job(input_artifacts=["Source"], output_artifacts=["Site"])

    assert public(dir(job)) == listed(JOB)
    assert public(dir(job.input_artifacts["Source"])) == listed(ARTIFACT)
    assert public(dir(job.output_artifacts["Site"])) == listed(ARTIFACT)


def test_a_pipeline(cpjob: CodePipelineStub) -> None:
    pipeline = cpjob.add_pipeline(declaration())
    execution = pipeline.run({"Docs": StandIn(), "Lambda": StandIn()})

    assert public(dir(pipeline)) == listed(PIPELINE)
    assert public(dir(execution)) == listed(EXECUTION)
    assert public(dir(execution.actions["Announce"])) == listed(ACTION_EXECUTION)


def test_the_endpoint(request: pytest.FixtureRequest) -> None:
    pytest.importorskip("flask", reason="the endpoint needs the extra server")
    endpoint = request.getfixturevalue("cpjob_endpoint")
    assert public(dir(endpoint)) == listed(ENDPOINT)
    assert public(dir(endpoint.start([sys.executable, "-V"]))) == listed(PROCESS)


def test_the_fixtures(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--fixtures").stdout.str()
    assert sorted(re.findall(r"^(cpjob\w*)", printed, re.MULTILINE)) == listed(FIXTURES)


def test_the_markers_and_their_options(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--markers").stdout.str()

    assert sorted(re.findall(r"@pytest\.mark\.(cpjob\w*)", printed)) == listed(MARKERS)
    [options] = re.findall(r"@pytest\.mark\.cpjob\(\*, (.*)\):", printed)
    assert sorted(re.findall(r"(\w+)=", options)) == listed(OPTIONS)


def test_the_options_of_pytest(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--help").stdout.str()

    assert sorted(re.findall(r"^  (cpjob_\w+)", printed, re.MULTILINE)) == listed(INI)
    options = re.findall(r"^  (--cpjob[\w-]+)", printed, re.MULTILINE)
    assert sorted(options) == listed(PYTEST_OPTIONS)


@pytest.mark.parametrize(
    ("wrong", "names"),
    [({"x": 1}, OPTIONS), ({"allow": ["-"]}, f"{FINDINGS} {WARNINGS}")],
    ids=["options", "findings"],
)
def test_an_error_lists_them_all(wrong: dict[str, object], names: str) -> None:
    with pytest.raises(ValueError, match="; expected one of ") as caught:
        CodePipelineStub(**wrong)

    assert sorted(str(caught.value).partition("; expected one of ")[2].split(", ")) == listed(names)


def printed_help(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    return capsys.readouterr().out


def test_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    printed = printed_help(capsys)
    assert sorted(re.findall(r"^    ([a-z-]+)", printed, re.MULTILINE)) == sorted(COMMANDS)
    assert sorted(re.findall(r"^  .*(--[a-z-]+)", printed, re.MULTILINE)) == ["--help", "--version"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_options_of_a_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, options = printed_help(capsys, command).partition("\noptions:\n")
    found = re.findall(r"^  (?:-h, )?(--[a-z-]+)", options, re.MULTILINE)
    assert sorted(found) == listed(COMMANDS[command])
