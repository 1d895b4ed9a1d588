"""A machine with no AWS configuration, and a developer's with all of it, make no difference."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import pytest
from forked_pytest import run_forked

from pytest_cpjob.aws.environment import is_configured

pytest_plugins = ["pytester"]

HANDLER = """
import boto3

codepipeline = boto3.client("codepipeline")
s3 = boto3.client("s3")
cloudformation = boto3.client("cloudformation")


def lambda_handler(event, context):
    job_id = event["CodePipeline.job"]["id"]
    cloudformation.describe_stacks()
    codepipeline.put_job_success_result(jobId=job_id)
"""
# CloudFormation stands for all services; moto loads most of itself for it, which takes its time.
LIGHT_HANDLER = HANDLER.replace("cloudformation.describe_stacks", "sns.list_topics").replace(
    "cloudformation", "sns"
)
TEST = """
from moto import mock_aws
import my_action

@mock_aws
def test_the_action(cpjob):
    job = cpjob.add_lambda_job(input_artifacts=["Source"]).invoke(my_action.lambda_handler)
    assert job.status == "Succeeded"
    assert my_action.s3.list_buckets()["Buckets"]
"""
REAL_KEY = "AKIAIOSFODNN7EXAMPLE"
REAL = {
    "AWS_ACCESS_KEY_ID": REAL_KEY,
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjEXAMPLE",
    "AWS_DEFAULT_REGION": "ap-south-1",
}


@pytest.fixture
def machine(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A machine with no AWS configuration at all: no variable, an empty home."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    home = pytester.mkdir("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return pytester


def run(machine: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return run_forked(machine.path, "-p", "no:faker", "-p", "no:randomly", *arguments)


def aws_files(config: str, credentials: str = "") -> None:
    folder = Path(os.environ["HOME"]) / ".aws"
    folder.mkdir()
    (folder / "config").write_text(config, encoding="utf-8")
    if credentials:
        (folder / "credentials").write_text(credentials, encoding="utf-8")


# -- nothing configured ----------------------------------------------------------------------------


def test_a_handler_whose_clients_are_made_at_import_is_collected_and_tested(
    machine: pytest.Pytester,
) -> None:
    machine.makepyfile(my_action=HANDLER, test_my_action=TEST)
    run(machine).assert_outcomes(passed=1)


def test_so_it_is_in_the_workers_of_xdist(machine: pytest.Pytester) -> None:
    pytest.importorskip("xdist", reason="the extra test has it")
    machine.makepyfile(my_action=LIGHT_HANDLER, test_my_action=TEST)
    run(machine, "-n", "1").assert_outcomes(passed=1)


def test_switched_off_a_client_without_a_region_cannot_be_made(machine: pytest.Pytester) -> None:
    machine.makeini("[pytest]\ncpjob_aws_env = false")
    machine.makepyfile(my_action=HANDLER, test_my_action=TEST)
    result = run(machine)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*NoRegionError: You must specify a region.*"])


def test_a_region_of_the_conftest_wins(machine: pytest.Pytester) -> None:
    machine.makeconftest("import os; os.environ['AWS_DEFAULT_REGION'] = 'eu-north-1'")
    machine.makepyfile(
        my_action=LIGHT_HANDLER,
        test_region="""
        import boto3, my_action

        def test_region(cpjob):
            assert my_action.s3.meta.region_name == "eu-north-1"
            assert boto3.client("s3").meta.region_name == "eu-north-1"

        def test_without_the_stub():
            assert boto3.client("s3").meta.region_name == "eu-north-1"
        """,
    )
    run(machine).assert_outcomes(passed=2)


def test_a_client_without_a_region_is_made_in_that_of_the_ini_file(
    machine: pytest.Pytester,
) -> None:
    machine.makeini("[pytest]\ncpjob_region = eu-west-2")
    machine.makepyfile(
        my_action=LIGHT_HANDLER,
        test_region="""
        import my_action

        def test_region():
            assert my_action.codepipeline.meta.region_name == "eu-west-2"
        """,
    )
    run(machine).assert_outcomes(passed=1)


def test_for_those_who_do_not_ask_for_us_all_is_as_without_us(machine: pytest.Pytester) -> None:
    machine.makeconftest(
        """
        import os
        os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
        """
    )
    machine.makepyfile(
        my_action=LIGHT_HANDLER,
        test_unused="""
        import os
        import boto3, my_action, pytest
        from botocore.exceptions import NoCredentialsError, NoRegionError

        def is_untouched():
            ours = {"AWS_EC2_METADATA_DISABLED"}
            assert {name for name in os.environ if name.startswith("AWS_")} == ours
            assert boto3.Session().get_credentials() is None
            assert boto3.Session().region_name is None
            with pytest.raises(NoCredentialsError) as caught:
                my_action.sns.list_topics()
            assert type(caught.value) is NoCredentialsError
            return True

        def test_before():
            assert is_untouched()

        def test_a_client_that_was_made_without_a_region_reaches_nothing_by_it():
            client = boto3.client("ssm", aws_access_key_id="a", aws_secret_access_key="b")
            with pytest.raises(NoRegionError):
                client.describe_parameters()

        def test_used(cpjob):
            cpjob.add_lambda_job().invoke(my_action.codepipeline_only)

        def test_afterwards():
            assert is_untouched()
        """,
    )
    with (machine.path / "my_action.py").open("a") as handler:
        handler.write(
            "\ndef codepipeline_only(event, context):\n"
            "    job_id = event['CodePipeline.job']['id']\n"
            "    codepipeline.put_job_success_result(jobId=job_id)\n"
        )
    run(machine).assert_outcomes(passed=4)


# -- calls while code is imported ------------------------------------------------------------------

CALLS = """
import boto3

who = boto3.client("sts").get_caller_identity()


def lambda_handler(event, context):
    job_id = event["CodePipeline.job"]["id"]
    boto3.client("codepipeline").put_job_success_result(jobId=job_id)
"""


def test_a_call_at_import_is_stopped_and_told_with_its_place_and_the_way_out(
    machine: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    machine.makepyfile(
        calls=CALLS,
        more_calls=CALLS,
        public="""
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        boto3.client("s3", config=Config(signature_version=UNSIGNED)).list_objects(Bucket="public")
        """,
        test_collected="import calls",
        test_unsigned="import public",
        test_in_a_fixture="""
        import pytest

        @pytest.fixture
        def calls():
            import more_calls

        def test_before_cpjob(calls, cpjob):
            pass

        def test_without_us(calls):
            pass
        """,
        test_swallowed="""
        import boto3
        from botocore.exceptions import NoCredentialsError

        try:
            boto3.client("sts").get_caller_identity()
        except NoCredentialsError:
            at_home = True

        def test_as_without_us():
            assert at_home
        """,
        test_by_name="""
        def test_the_way_out(cpjob):
            job = cpjob.add_lambda_job(input_artifacts=["Source"])
            assert job.invoke("calls.lambda_handler").status == "Succeeded"
        """,
    )

    result = run(machine, "--continue-on-collection-errors")

    result.assert_outcomes(passed=2, errors=4)
    result.stdout.fnmatch_lines(
        [
            "*ERROR collecting test_collected.py*",
            "E *CallAtImportError: sts.GetCallerIdentity was called while code was imported*, at"
            " calls.py:3, and nothing fakes it: this machine has no AWS configuration.",
            'E *job.invoke("package.module.handler")*cpjob_aws_env = false*',
            "*ERROR collecting test_unsigned.py*",
            "E *UnfakedCallError: s3.ListObjects was called *, at public.py:5, and *",
            "*ERROR at setup of test_before_cpjob*",
            "E *CallAtImportError: sts.GetCallerIdentity was called in the set-up of a test, before"
            " its cpjob was there, at more_calls.py:3, *",
            "*ERROR at setup of test_without_us*",
            "E *exceptions.NoCredentialsError: Unable to locate credentials",
        ]
    )


def test_where_something_is_configured_calls_at_import_are_the_users_business(
    machine: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in REAL.items():
        monkeypatch.setenv(name, value)
    machine.makepyfile(
        calls="""
        import botocore.awsrequest, botocore.httpsession

        sent = []

        def answer(session, request):
            sent.append(request.url)
            class Raw:
                def stream(self):
                    return [b"<R><GetCallerIdentityResult/></R>"]
            return botocore.awsrequest.AWSResponse(request.url, 200, {}, Raw())

        # What the network would answer; below of what anybody else puts there.
        botocore.httpsession.URLLib3Session.send = answer
        """,
        conftest="import calls",
        test_calls="""
        import boto3, calls

        boto3.client("sts").get_caller_identity()

        def test_it_left():
            assert len(calls.sent) == 1
        """,
    )
    run(machine).assert_outcomes(passed=1)

    machine.makeini("[pytest]\ncpjob_stop_calls_at_import = true")
    (machine.path / "calls.py").write_text("", encoding="utf-8")
    result = run(machine)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E *UnfakedCallError: sts.GetCallerIdentity was called *, at test_calls.py:3, *"
            ": cpjob_stop_calls_at_import is set."
        ]
    )


def test_a_mock_that_answers_at_import_goes_on_answering(machine: pytest.Pytester) -> None:
    machine.makepyfile(
        calls=CALLS,
        conftest="""
        from moto import mock_aws

        mock = mock_aws()
        mock.start()
        import calls
        mock.stop()
        """,
        test_it="""
        import calls

        def test_answered():
            assert calls.who["Account"] == "123456789012"
        """,
    )
    result = run(machine)
    # botocore needs a region for STS, and moto sets none.
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("variables", "configured"),
    [
        ({}, False),
        ({"AWS_CA_BUNDLE": "/etc/ca.pem"}, False),
        ({"AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""}, False),
        ({"AWS_DEFAULT_REGION": ""}, False),
        ({"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": "not/there"}, False),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, True),
        ({"AWS_REGION": "eu-west-1"}, True),
        ({"AWS_PROFILE": "work"}, True),
        ({"AWS_ACCESS_KEY_ID": REAL_KEY}, True),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/role"}, True),
    ],
)
def test_which_variables_are_a_configuration(
    tmp_path: Path, variables: dict[str, str], *, configured: bool
) -> None:
    environ = {"HOME": str(tmp_path), **variables}
    assert is_configured(environ) == configured


@pytest.mark.parametrize("name", ["config", "credentials"])
def test_a_file_is_a_configuration_when_something_is_in_it(tmp_path: Path, name: str) -> None:
    environ = {"HOME": str(tmp_path)}
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "sso").mkdir()
    (tmp_path / ".aws" / name).touch()
    assert not is_configured(environ)
    (tmp_path / ".aws" / name).write_text("[default]\n", encoding="utf-8")
    assert is_configured(environ)


@pytest.mark.parametrize(
    "variables",
    [
        {"HOME": "{locked}"},
        {"AWS_CONFIG_FILE": "~nosuchuser/config", "AWS_SHARED_CREDENTIALS_FILE": "{locked}/x"},
        {"HOME": "/" + "x" * 5000},
        {"AWS_CONFIG_FILE": "nul\0byte"},
    ],
    ids=["another user's home", "no such user", "too long", "no path at all"],
)
def test_a_file_that_cannot_be_looked_at_is_no_configuration(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    # Root may look everywhere: for it the place is none at all.
    locked = tmp_path / "locked"
    (locked / ".aws").mkdir(parents=True)
    locked.chmod(0)
    try:
        environ = {name: value.format(locked=locked) for name, value in variables.items()}
        assert not is_configured({"HOME": str(tmp_path), **environ})
    finally:
        locked.chmod(0o700)


def test_a_user_without_a_home_has_no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    assert not is_configured({})


# -- a developer's machine -------------------------------------------------------------------------

PROBE = f"""
import os
import boto3
from moto import mock_aws
from moto.core.models import botocore_stubber
import my_action

at_import = dict(os.environ)
session = boto3.DEFAULT_SESSION

def signed_with(monkeypatch, action):
    seen = []
    original = type(botocore_stubber).__call__
    def note(self, event_name, request, **kwargs):
        seen.append(str(dict(request.headers)) + request.url)
        return original(self, event_name, request, **kwargs)
    monkeypatch.setattr(type(botocore_stubber), "__call__", note)
    action()
    assert seen
    return "".join(seen)

def test_under_the_stub_nothing_is_signed_with_what_is_real(cpjob, monkeypatch):
    job = cpjob.add_lambda_job(input_artifacts=["Source"])
    assert "AWS_PROFILE" not in os.environ
    assert {REAL_KEY!r} not in os.environ.values()

    def calls():
        my_action.s3.list_buckets()
        my_action.sns.list_topics()
        boto3.client("sts").get_caller_identity()
        boto3.client("kms").list_keys()
        boto3.Session().client("s3").list_buckets()
        boto3.client("s3").generate_presigned_url("list_buckets")
        assert job.invoke(my_action.lambda_handler).status == "Succeeded"

    signed = signed_with(monkeypatch, calls)
    assert "AKIACPJOBOWNROLE0000" in signed
    assert {REAL_KEY!r} not in signed and "ASIA" not in signed

def test_then_all_is_as_it_was():
    environ = {{**os.environ, "PYTEST_CURRENT_TEST": ""}}
    assert environ == {{**at_import, "PYTEST_CURRENT_TEST": ""}}
    assert boto3.DEFAULT_SESSION is session
"""
SSO = """
[sso-session work]
sso_region = eu-west-1
sso_start_url = https://example.invalid/start
[profile work]
sso_session = work
sso_account_id = 111122223333
sso_role_name = dev
region = ap-south-1
"""
ASSUME_ROLE = f"""
[profile base]
aws_access_key_id = {REAL_KEY}
aws_secret_access_key = {REAL["AWS_SECRET_ACCESS_KEY"]}
[profile work]
role_arn = arn:aws:iam::111122223333:role/dev
source_profile = base
region = ap-south-1
"""
STATIC = f"""
[profile work]
aws_access_key_id = {REAL_KEY}
aws_secret_access_key = {REAL["AWS_SECRET_ACCESS_KEY"]}
region = ap-south-1
"""


@pytest.mark.parametrize(
    ("config", "variables"),
    [
        ("", REAL),
        ("", {**REAL, "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}),
        (STATIC.replace("profile work", "default"), {}),
        (STATIC, {"AWS_PROFILE": "work"}),
        (SSO, {"AWS_PROFILE": "work"}),
        (ASSUME_ROLE, {"AWS_PROFILE": "work"}),
    ],
    ids=[
        "variables",
        "an old shell of aws-vault",
        "default profile",
        "profile",
        "SSO",
        "assume-role",
    ],
)
def test_real_credentials_are_never_used_and_are_there_again_afterwards(
    machine: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    config: str,
    variables: dict[str, str],
) -> None:
    aws_files(config)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    machine.makepyfile(my_action=LIGHT_HANDLER, test_probe=PROBE)
    run(machine).assert_outcomes(passed=2)


def test_a_credential_process_is_not_started_under_the_stub(
    machine: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = machine.makepyfile(
        process=f"""
        import pathlib
        with pathlib.Path(__file__).with_name("started").open("a") as log:
            log.write("x")
        print('{{"Version": 1, "AccessKeyId": "{REAL_KEY}", "SecretAccessKey": "s",'
              ' "SessionToken": "t", "Expiration": "2999-01-01T00:00:00Z"}}')
        """
    )
    aws_files(
        f"[profile work]\ncredential_process = {sys.executable} {program}\nregion = ap-south-1\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "work")
    machine.makepyfile(
        my_action=LIGHT_HANDLER,
        test_probe=PROBE,
        conftest="""
        import botocore.credentials
        # Always due for a refresh, as after a long lunch.
        botocore.credentials.RefreshableCredentials._advisory_refresh_timeout = 10**11
        """,
    )

    run(machine).assert_outcomes(passed=2)

    # Once for the default session at import, and never again.
    assert program.with_name("started").read_text() == "x"


def test_a_monkeypatch_that_came_first_puts_back_nothing_of_ours(
    machine: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**REAL, "AWS_PROFILE": "", "AWS_USE_FIPS_ENDPOINT": "true"}.items():
        monkeypatch.setenv(name, value)
    machine.makepyfile(
        test_a_monkeypatch="""
        import os
        import pytest
        from pytest_cpjob import CodePipelineStub

        def of_aws():
            return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}

        before = of_aws()

        def change(monkeypatch):
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
            monkeypatch.setenv("AWS_SESSION_TOKEN", "testing")
            monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "false")
            monkeypatch.delenv("AWS_DEFAULT_REGION")

        def test_the_fixture(monkeypatch, cpjob):
            change(monkeypatch)

        def test_nothing_is_left():
            assert of_aws() == before

        def test_the_context_manager(monkeypatch):
            with CodePipelineStub():
                change(monkeypatch)

        def test_nothing_is_left_either():
            assert of_aws() == before

        def test_what_was_not_there(monkeypatch, cpjob):
            monkeypatch.delenv("AWS_SHARED_CREDENTIALS_FILE")

        def test_is_not_there_again():
            assert of_aws() == before

        def test_two_stubs(monkeypatch):
            with CodePipelineStub():
                change(monkeypatch)
            with CodePipelineStub():
                pass

        def test_nothing_is_left_of_two():
            assert of_aws() == before

        @pytest.fixture(scope="module")
        def changed_for_the_module():
            with pytest.MonkeyPatch.context() as patch:
                change(patch)
                yield

        def test_a_wider_fixture(request, cpjob):
            request.getfixturevalue("changed_for_the_module")

        def test_in_the_same_module(cpjob):
            assert os.environ["AWS_SECRET_ACCESS_KEY"] != "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        """,
        test_next="""
        import os
        from test_a_monkeypatch import before, of_aws
        from pytest_cpjob import CodePipelineStub

        def test_nothing_is_left_of_the_module():
            assert of_aws() == before

        def test_what_a_test_sets_for_good_stays(cpjob):
            os.environ["AWS_ACCESS_KEY_ID"] = "for good"

        def test_it_is_still_there():
            assert of_aws() == {**before, "AWS_ACCESS_KEY_ID": "for good"}
        """,
    )

    run(machine).assert_outcomes(passed=13)


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        {"AWS_ENDPOINT_URL": "http://localhost:9"},
        {
            "AWS_ENDPOINT_URL_S3": "http://emulator.invalid",
            "AWS_ENDPOINT_URL_KMS": "http://[::1]:9",
        },
        {"AWS_CONFIG_FILE": "config"},
        {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
    ],
    ids=["an emulator", "by its name", "of S3 and KMS", "in a file", "FIPS and dual stack"],
)
def test_the_machines_endpoints_keep_nobody_from_the_artifacts(
    machine: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    (machine.path / "config").write_text(
        "[default]\nendpoint_url = http://127.0.0.1:9\nregion = eu-west-1\n", encoding="utf-8"
    )
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    machine.makepyfile(
        """
        import os
        import boto3, pytest

        at_import = dict(os.environ)
        early = boto3.client("s3", region_name="us-east-1")
        kms = boto3.client("kms", region_name="us-east-1")
        sqs = boto3.client("sqs", region_name="us-east-1").meta.endpoint_url

        def handler(event, context):
            job = event["CodePipeline.job"]
            credentials = job["data"]["artifactCredentials"]
            s3 = boto3.client(
                "s3",
                aws_access_key_id=credentials["accessKeyId"],
                aws_secret_access_key=credentials["secretAccessKey"],
                aws_session_token=credentials["sessionToken"],
            )
            source = job["data"]["inputArtifacts"][0]["location"]["s3Location"]
            site = job["data"]["outputArtifacts"][0]["location"]["s3Location"]
            body = s3.get_object(Bucket=source["bucketName"], Key=source["objectKey"])["Body"]
            key = job["data"]["encryptionKey"]["id"]
            s3.put_object(
                Bucket=site["bucketName"],
                Key=site["objectKey"],
                Body=body.read(),
                ServerSideEncryption="aws:kms",
                SSEKMSKeyId=key,
            )
            boto3.client("codepipeline").put_job_success_result(jobId=job["id"])

        def add(cpjob, **arguments):
            return cpjob.add_lambda_job(
                input_artifacts=["A"], output_artifacts=["B"], encryption_key=True, **arguments
            )

        @pytest.mark.parametrize("region", ["us-east-1", "cn-north-1"])
        def test_served(cpjob, region):
            job = add(cpjob, region=region).invoke(handler)
            assert job.status == "Succeeded"
            assert job.output_artifacts["B"].content == job.input_artifacts["A"].content

        @pytest.mark.cpjob(own_role=True)
        def test_early_clients(cpjob):
            job = add(cpjob).invoke(handler)
            source = job.input_artifacts["A"]
            early.head_object(Bucket=source.bucket, Key=source.key)
            [page] = early.get_paginator("list_objects_v2").paginate(Bucket=source.bucket)
            assert page["KeyCount"] == 2
            if "AWS_USE_FIPS_ENDPOINT" not in at_import:  # a name that moto does not know
                key = kms.describe_key(KeyId=job.encryption_key)["KeyMetadata"]
                assert key["Arn"] == job.encryption_key
            elsewhere = boto3.client("kms", region_name="eu-west-1")
            with pytest.raises(elsewhere.exceptions.NotFoundException):
                elsewhere.describe_key(KeyId=job.encryption_key)

        def test_others_go_where_they_are_sent(cpjob):
            if "AWS_USE_FIPS_ENDPOINT" not in at_import:
                assert boto3.client("sqs", region_name="us-east-1").meta.endpoint_url == sqs

        def test_then_all_is_as_it_was():
            assert {**os.environ, "PYTEST_CURRENT_TEST": ""} == {
                **at_import, "PYTEST_CURRENT_TEST": ""
            }
        """
    )

    run(machine).assert_outcomes(passed=5)


PROFILES = f"""
{SSO}
[profile assumed]
role_arn = arn:aws:iam::111122223333:role/dev
source_profile = keys
[profile keys]
aws_access_key_id = {REAL_KEY}
aws_secret_access_key = {REAL["AWS_SECRET_ACCESS_KEY"]}
region = ap-south-1
[profile program]
credential_process = touch started
"""


def test_a_profile_of_any_kind_works_on_the_dummies_and_is_not_asked(
    machine: pytest.Pytester,
) -> None:
    aws_files(PROFILES, f"[secret]\naws_access_key_id = {REAL_KEY}\n")
    machine.makepyfile(
        """
        import os, sys
        import boto3, pytest

        read = []
        sys.addaudithook(lambda event, args: event == "open" and read.append(str(args[0])))
        early = {"keys": boto3.Session(profile_name="keys")}
        read.clear()

        @pytest.mark.parametrize("name", ["work", "assumed", "keys", "program", "secret", "none"])
        def test_profile(cpjob, name):
            job = cpjob.add_lambda_job()
            for session in (boto3.Session(profile_name=name), early.get(name)):
                if session is not None:
                    assert session.get_credentials().access_key == "AKIACPJOBOWNROLE0000"
                    client = session.client("codepipeline")
                    assert client.meta.region_name == "us-east-1"
                    client.get_job_details(jobId=job.id)
            assert not [path for path in read if path.endswith(".aws/credentials")]

        def test_nothing_was_run():
            assert not os.path.exists("started")
            with pytest.raises(Exception, match="none"):
                boto3.Session(profile_name="none").client("s3")
            assert boto3.Session(profile_name="keys").get_credentials().access_key[:4] == "AKIA"
        """
    )
    run(machine).assert_outcomes(passed=7)


def test_documents_do_not_depend_on_the_developers_region(
    machine: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.makepyfile(
        """
        import json

        def test_documents(cpjob, cpjob_details_factory):
            job = cpjob.add_lambda_job(input_artifacts=["Source"], encryption_key=True)
            print("documents:", json.dumps([cpjob_details_factory(), job.details], sort_keys=True))
        """
    )
    first = run(machine, "-s")
    for name, value in REAL.items():
        monkeypatch.setenv(name, value)
    second = run(machine, "-s")

    def documents(result: pytest.RunResult) -> list[str]:
        return [line for line in result.outlines if "documents:" in line]

    assert documents(first) == documents(second) != []
    assert "us-east-1" in documents(first)[0]


def test_a_handler_makes_its_clients_under_the_stub_although_only_a_profile_has_a_region(
    machine: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws_files(STATIC)
    monkeypatch.setenv("AWS_PROFILE", "work")
    machine.makepyfile(
        """
        import boto3

        def test_client(cpjob):
            client = boto3.client("codepipeline")
            client.put_job_success_result(jobId=cpjob.add_lambda_job().id)
            assert client.meta.region_name == "us-east-1"
        """
    )
    run(machine).assert_outcomes(passed=1)
