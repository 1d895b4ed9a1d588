"""The arguments that factories and `add_*` share: omitted ones are drawn, the others checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from pytest_cpjob.aws.regions import partition_of
from pytest_cpjob.aws.text import plain
from pytest_cpjob.documents.artifact_arguments import artifacts, bucket_name, refuse_duplicates
from pytest_cpjob.documents.facts import LAMBDA, ActionType, JobFacts
from pytest_cpjob.documents.refusals import check, refuse, shortened
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.documents.values import Draws

if TYPE_CHECKING:
    from pytest_cpjob.documents.type_defs import ActionTypeId, Artifact, LambdaArtifact

Kind = Literal["custom", "lambda", "third-party", "any"]
ActionTypeArgument: TypeAlias = "str | ActionType | ActionTypeId | Mapping[str, str]"
"""What `action_type` takes: `"Category:Owner:Provider:Version"`, or a dict of the four.

>>> docs: ActionTypeArgument = "Build:Custom:Docs:1"
>>> str(cpjob.add_job(action_type=docs).facts.action_type)
'Build:Custom:Docs:1'
"""
ArtifactsArgument: TypeAlias = "Sequence[str | Artifact | LambdaArtifact]"
EncryptionKeyArgument: TypeAlias = "Literal[True] | str"
"""What `encryption_key` takes: `True` (a realistic ARN), or a key id, key ARN or alias ARN.

>>> key: EncryptionKeyArgument = "arn:aws:kms:us-east-1:123456789012:alias/site"
>>> cpjob.add_job(encryption_key=key).encryption_key == key
True
"""
UserParameters: TypeAlias = "str | Mapping[str, object] | Sequence[object]"

CUSTOM: Final = ActionType("Build", "Custom", "MyBuildTool", "1")
"""The action type of a custom job if the test names none."""
THIRD_PARTY: Final = ActionType("Build", "ThirdParty", "MyPartnerTool", "1")
"""The action type of a partner's job if the test names none."""
_VALUE: Final = "ActionConfigurationValue"
_FUNCTION: Final = (
    r"(?:arn:(?:aws[a-zA-Z-]*)?:lambda:)?"
    r"(?:(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-[0-9]:)?"
    r"(?:[0-9]{12}:)?(?:function:)?[a-zA-Z0-9_-]+(?::(?:\$LATEST|[a-zA-Z0-9_-]+))?"
)
_LONGEST_FUNCTION_NAME: Final = 64
_LONGEST_FUNCTION_ARN: Final = 140
_ACCOUNT_WAY_OUT: Final = "write all 12 digits: an account id may begin with 0"
_NO_STRING_WAY_OUT: Final = "write 12 digits in quotes: an account id may begin with 0"


_OWNERS: Final[Mapping[Kind, tuple[ActionType, tuple[str, ...], str]]] = {
    "custom": (
        CUSTOM,
        ("Custom",),
        "Member 'owner' must be Custom for a job that custom workers poll",
    ),
    "lambda": (LAMBDA, ("AWS",), f"a Lambda job's action type is {LAMBDA}"),
    "third-party": (
        THIRD_PARTY,
        ("ThirdParty",),
        "Member 'owner' must be ThirdParty for a partner's job",
    ),
    "any": (
        CUSTOM,
        ("Custom", "AWS"),
        "GetJobDetails does not return partner jobs (owner ThirdParty)",
    ),
}
"""By kind of job: the action type if the test names none, the owners it may have, and the rule."""
_OTHER_KINDS: Final = (
    "custom workers' jobs come from add_job, Lambda's from add_lambda_job or cpjob_event_factory, "
    "partners' from add_third_party_job or cpjob_third_party_details_factory"
)


def job_facts(
    stream: Stream,
    *,
    region: str,
    account_id: str,
    kind: Kind,
    job_id: str | None = None,
    pipeline_name: str | None = None,
    stage_name: str | None = None,
    action_name: str | None = None,
    action_type: ActionTypeArgument | None = None,
    configuration: Mapping[str, str] | None = None,
    input_artifacts: ArtifactsArgument | None = None,
    output_artifacts: ArtifactsArgument | None = None,
    artifact_bucket: str | None = None,
    default_bucket: str | None = None,
    encryption_key: EncryptionKeyArgument | None = None,
    continuation_token: str | None = None,
    user_parameters: UserParameters | None = None,
    function_name: str | None = None,
    default_inputs: Sequence[str] = (),
    default_outputs: Sequence[str] = (),
) -> JobFacts:
    """Return the facts of the job that owns this stream; `None` means that a value is drawn.

    All values are drawn, even those that the test gives: so giving one changes no other.

    Raises:
        ValueError: AWS could not send a value; the message names argument, rule and value.
    """
    values = stream.values
    drawn_id, drawn_pipeline = values.job_id(), values.pipeline_name()
    pipeline_execution_id, action_execution_id = values.execution_id(), values.execution_id()
    region, account_id = region_checked(region), account_id_checked(account_id)
    drawn_bucket = values.artifact_bucket_name(region)
    chosen_type = _action_type(kind, action_type, user_parameters, function_name)
    id_shape = "ThirdPartyJobId" if kind == "third-party" else "JobId"
    pipeline = text("pipeline_name", "PipelineName", pipeline_name, drawn_pipeline)
    bucket = default_bucket or drawn_bucket
    if artifact_bucket is not None:
        bucket = bucket_name("artifact_bucket", artifact_bucket)
    inputs = artifacts(
        input_artifacts,
        "input",
        default_inputs,
        stream=stream,
        pipeline_name=pipeline,
        bucket=bucket,
    )
    outputs = artifacts(
        output_artifacts,
        "output",
        default_outputs,
        stream=stream,
        pipeline_name=pipeline,
        bucket=bucket,
    )
    refuse_duplicates(inputs, outputs)
    if continuation_token is not None:
        check("continuation_token", "ContinuationToken", continuation_token)
        continuation_token = plain(continuation_token)
    return JobFacts(
        id=text(
            "job_id", id_shape, job_id, drawn_id, f"leave it out, or write one such as {drawn_id!r}"
        ),
        account_id=account_id,
        region=region,
        pipeline_name=pipeline,
        stage_name=text("stage_name", "StageName", stage_name, chosen_type.category),
        action_name=text("action_name", "ActionName", action_name, chosen_type.category),
        action_type=chosen_type,
        configuration=_configuration(
            chosen_type, configuration, user_parameters, function_name, values
        ),
        inputs=inputs,
        outputs=outputs,
        continuation_token=continuation_token,
        encryption_key=_key(encryption_key, stream, region, account_id),
        pipeline_execution_id=pipeline_execution_id,
        action_execution_id=action_execution_id,
    )


def _key(
    given: EncryptionKeyArgument | None, stream: Stream, region: str, account_id: str
) -> str | None:
    if given is None:
        return None
    from pytest_cpjob.documents.encryption_key import encryption_key

    return encryption_key(given, stream=stream, region=region, account_id=account_id)


def text(argument: str, shape_name: str, given: str | None, default: str, way_out: str = "") -> str:
    """Return the given text if it follows its shape's rules, or the default for `None`.

    Raises:
        ValueError: with the argument, the rule and the value.
    """
    if given is None:
        return default
    check(argument, shape_name, given, way_out)
    return plain(given)


def region_checked(region: object) -> str:
    """Return a region that AWS has, or that is spelled like one.

    Raises:
        ValueError: naming `region` and the value.
    """
    if not isinstance(region, str):
        refuse("region", "Member must be a string", region, "write one such as 'us-east-1'")
    partition_of(region)
    return plain(region)


def account_id_checked(account_id: object) -> str:
    """Return an account id of 12 digits.

    Raises:
        ValueError: naming `account_id`, the rule and the value.
    """
    if not isinstance(account_id, str):
        refuse("account_id", "Member must be a string", account_id, _NO_STRING_WAY_OUT)
    return _account_id(plain(account_id))


# A test run has few accounts, and every document checks its own.
@lru_cache(maxsize=64)
def _account_id(account_id: str) -> str:
    check("account_id", "AccountId", account_id, _ACCOUNT_WAY_OUT)
    return account_id


def _action_type(
    kind: Kind, given: object, user_parameters: object, function_name: object
) -> ActionType:
    default, allowed, owners_rule = _OWNERS[kind]
    invokes = user_parameters is not None or function_name is not None
    if given is None:
        chosen = LAMBDA if kind == "any" and invokes else default
    else:
        chosen = ActionType.parse(given)
        if chosen.owner not in allowed or (kind == "lambda" and chosen != LAMBDA):
            refuse("action_type", owners_rule, str(chosen), _OTHER_KINDS)
    if invokes and chosen != LAMBDA:
        argument = "function_name" if user_parameters is None else "user_parameters"
        value = function_name if user_parameters is None else user_parameters
        rule = f"only jobs of action type {LAMBDA} have it, and this one's is {chosen}"
        refuse(argument, rule, value, "write configuration={...} for other actions' properties")
    return chosen


def _configuration(
    action_type: ActionType,
    given: object,
    user_parameters: object,
    function_name: str | None,
    values: Draws,
) -> dict[str, str]:
    chosen = _checked_configuration({} if given is None else given)
    if action_type != LAMBDA:
        return chosen
    for argument, key, value in (
        ("function_name", "FunctionName", function_name),
        ("user_parameters", "UserParameters", user_parameters),
    ):
        if value is not None and key in chosen:
            rule = f"configuration[{key!r}] already has it"
            refuse(argument, rule, value, f"give {argument} or configuration[{key!r}], not both")
    named = "" if function_name is None else function_name_checked(function_name)
    if user_parameters is not None:
        chosen["UserParameters"] = _user_parameters_text(user_parameters)
    # Drawn last, so that jobs of other kinds need not draw it to keep the same values.
    return {"FunctionName": named or values.function_name(), **chosen}


def function_name_checked(given: object) -> str:
    """Return what identifies a Lambda function: its name, its ARN or a partial ARN.

    Raises:
        ValueError: naming `function_name`, the rule and the value.

    Source: the model of Lambda's API, FunctionName; "If you specify only the function name, it is
    limited to 64 characters in length."
    """
    check("function_name", _VALUE, given)
    name = plain(cast("str", given))
    if not re.fullmatch(_FUNCTION, name):
        rule = "Lambda requires letters, digits, hyphens and underscores, or the function's ARN"
        refuse("function_name", rule, name)
    most = _LONGEST_FUNCTION_ARN if ":" in name else _LONGEST_FUNCTION_NAME
    if len(name) > most:
        refuse("function_name", f"Member must have length less than or equal to {most}", name)
    return name


def _checked_configuration(given: object) -> dict[str, str]:
    if not isinstance(given, Mapping):
        way_out = "write a dict of strings, such as {'Theme': 'dark'}"
        refuse("configuration", "Member must be a map", given, way_out)
    for key, value in given.items():
        check(f"configuration, key {shortened(key)}", "ActionConfigurationKey", key)
        way_out = ""
        if not isinstance(value, str):
            way_out = f"AWS sends strings: write {_as_string(value)}"
        where = f"configuration[{shortened(key)}]"
        check(where, _VALUE, value, way_out)
    return {plain(key): plain(value) for key, value in given.items()}


def _as_string(value: object) -> str:
    """Return how to write a number, a flag or a list as the string that AWS sends."""
    try:
        written = value if value is None else json.dumps(value)
    except (TypeError, ValueError):
        written = None
    return "a string" if written is None or len(written) > 60 else repr(written).replace("'", '"')


def _user_parameters_text(given: object) -> str:
    written = given
    if isinstance(given, (Mapping, list, tuple)):
        rule = "Member must be JSON"
        try:
            written = json.dumps(given, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            refuse("user_parameters", f"{rule}: {error}", given, "give the text that AWS sends")
        if json.loads(written) != given:
            way_out = "use string keys and lists, not tuples, or give the text that AWS sends"
            refuse("user_parameters", f"{rule} that decodes to the same value", given, way_out)
    check(
        "user_parameters",
        _VALUE,
        written,
        "leave it out for a job without any, or give text, a dict or a list",
    )
    return plain(cast("str", written))
