"""One line runs a test again for the other jobs, faults and starts its handler may meet."""

from __future__ import annotations

import re

import pytest

HANDLER = """
    import boto3

    codepipeline = boto3.client("codepipeline", region_name="us-east-1")

    def careful(event, context):
        job = event["CodePipeline.job"]
        data = job["data"]
        keys = data["artifactCredentials"]
        s3 = boto3.session.Session(
            keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"]
        ).client("s3", region_name="us-east-1")
        try:
            [source] = [each for each in data["inputArtifacts"] if each["name"] == "Source"]
            s3.get_object(**where(source))["Body"].read()
            extra = {}
            if "encryptionKey" in data:
                extra = {
                    "ServerSideEncryption": "aws:kms",
                    "SSEKMSKeyId": data["encryptionKey"]["id"],
                }
            for output in data["outputArtifacts"]:
                s3.put_object(**where(output), Body=b"built", **extra)
        except Exception as error:
            details = {"type": "JobFailed", "message": str(error)}
            codepipeline.put_job_failure_result(jobId=job["id"], failureDetails=details)
            return
        codepipeline.put_job_success_result(jobId=job["id"])

    def where(artifact):
        at = artifact["location"]["s3Location"]
        return {"Bucket": at["bucketName"], "Key": at["objectKey"]}
"""

TEST = """
    import pytest
    from my_action import careful

    {mark}
    def test_builds(cpjob):
        job = cpjob.add_lambda_job(
            user_parameters={{"theme": "dark"}},
            input_artifacts={{"Source": {{"index.md": "# Hi"}}, "Theme": {{"a.css": ""}}}},
            output_artifacts=["Site", "Log"],
        )
        job.invoke(careful, retries=2)
        assert {condition}
"""


def names_of(result: pytest.RunResult, outcome: str) -> list[str]:
    """The variations whose run had an outcome."""
    return [
        line.partition("[")[2].partition("]")[0]
        for line in result.outlines
        if line.startswith("test_my_action.py::") and f" {outcome}" in line
    ]


def run(pytester: pytest.Pytester, mark: str, condition: str) -> pytest.RunResult:
    pytester.makepyfile(
        my_action=HANDLER, test_my_action=TEST.format(mark=mark, condition=condition)
    )
    return pytester.runpytest("-v", "-p", "no:faker", "-p", "no:randomly")


def test_a_careful_handler_stands_all_job_variants(pytester: pytest.Pytester) -> None:
    result = run(pytester, "@pytest.mark.cpjob_job_variants", 'job.status == "Succeeded"')

    assert names_of(result, "PASSED") == [
        "plain",
        "encryption-key",
        "without-user-parameters",
        "null-revision",
        "artifacts-reversed",
        "another-input-first",
        "continuation-token",
        "aws-cn",
        "aws-us-gov",
        "longest-names",
        "unicode-file-name",
    ]
    result.assert_outcomes(passed=11)


def test_each_variant_is_another_document(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import json
        import pytest

        seen = set()

        @pytest.mark.cpjob_job_variants
        def test_one(cpjob, request):
            job = cpjob.add_lambda_job(
                user_parameters="dark",
                input_artifacts={"Source": {"a": ""}, "Other": {"b": ""}},
                output_artifacts=["Site"],
                allow=["no-result"],
            )
            data = job.event["CodePipeline.job"]["data"]
            context = job.details["jobDetails"]["data"]["pipelineContext"]
            name = request.node.callspec.id
            assert ("encryptionKey" in data) == (name == "encryption-key")
            assert ("continuationToken" in data) == (name == "continuation-token")
            configuration = data["actionConfiguration"]["configuration"]
            assert ("UserParameters" in configuration) == (name != "without-user-parameters")
            partition = {"aws-cn": "aws-cn", "aws-us-gov": "aws-us-gov"}.get(name, "aws")
            assert context["pipelineArn"].split(":")[1] == partition
            assert (len(context["pipelineName"]) == 100) == (name == "longest-names")
            inputs = [each["name"] for each in data["inputArtifacts"]]
            assert inputs == {
                "artifacts-reversed": ["Other", "Source"],
                "another-input-first": ["AnotherArtifact", "Source", "Other"],
            }.get(name, ["Source", "Other"])
            revisions = {each["revision"] for each in data["inputArtifacts"]}
            assert (revisions == {None}) == (name == "null-revision")
            files = list(job.input_artifacts["Source"].files)
            assert (len(files) == 2) == (name == "unicode-file-name")
        """
    )

    pytester.runpytest("-p", "no:faker").assert_outcomes(passed=11)


def test_what_the_test_says_itself_stays(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        KEY = "arn:aws:kms:eu-west-1:123456789012:alias/k"

        @pytest.mark.cpjob_job_variants("aws-cn", "encryption-key", "longest-names")
        def test_one(cpjob):
            job = cpjob.add_job(region="eu-west-1", encryption_key=KEY, pipeline_name="web")
            assert job.facts.region == "eu-west-1"
            assert job.encryption_key == KEY
            assert job.facts.pipeline_name == "web"
        """
    )

    pytester.runpytest("-p", "no:faker").assert_outcomes(passed=3)


def test_faults_meet_the_handlers_calls(pytester: pytest.Pytester) -> None:
    result = run(pytester, "@pytest.mark.cpjob_faults", 'job.status == "Succeeded"')

    # A lost answer is none of these: Lambda's retry reports the same again, and is answered.
    assert names_of(result, "FAILED") == [
        "get-access-denied",
        "get-expired-credentials",
        "get-timed-out",
        "put-access-denied",
        "put-timed-out",
        "missing-object",
    ]


def test_under_faults_the_contract_holds_by_itself(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        "@pytest.mark.cpjob_faults",
        'job.status in ("Succeeded", "Failed")',
    )

    result.assert_outcomes(passed=15)


def test_an_input_is_added_where_the_action_type_takes_another(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.cpjob_job_variants("another-input-first")
        @pytest.mark.parametrize("most", [1, 2])
        def test_one(cpjob, most):
            cpjob.add_action_type("Build:Custom:Docs:1", inputs=(1, most))
            job = cpjob.add_job(action_type="Build:Custom:Docs:1", input_artifacts=["Source"])
            assert len(job.input_artifacts) == most
        """
    )

    pytester.runpytest("-p", "no:faker").assert_outcomes(passed=2)


def test_faults_meet_a_partners_calls_as_well(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import boto3
        import pytest
        from botocore.exceptions import ReadTimeoutError

        codepipeline = boto3.client("codepipeline", region_name="us-east-1")

        @pytest.mark.cpjob_faults
        def test_one(cpjob, request):
            job = cpjob.add_third_party_job(allow=["no-result", "second-result"])
            kind = dict(zip(("category", "owner", "provider", "version"),
                            str(job.facts.action_type).split(":")))
            token = {"jobId": job.id, "clientToken": job.client_token}
            failure = {"type": "JobFailed", "message": "no"}
            for put in (
                lambda: codepipeline.poll_for_third_party_jobs(actionTypeId=kind),
                lambda: codepipeline.poll_for_third_party_jobs(actionTypeId=kind),
                lambda: codepipeline.get_third_party_job_details(**token),
                lambda: codepipeline.acknowledge_third_party_job(nonce=job.nonce, **token),
                lambda: codepipeline.put_third_party_job_success_result(**token),
                lambda: codepipeline.put_third_party_job_failure_result(
                    failureDetails=failure, **token
                ),
            ):
                try:
                    put()
                except (ReadTimeoutError, codepipeline.exceptions.ClientError):
                    pass
            met = {
                call.operation
                for call in cpjob.calls
                if call.error in ("ThrottlingException", "ReadTimeoutError")
            }
            assert met == {
                "details-throttled": {"GetThirdPartyJobDetails"},
                "poll-throttled": {"PollForThirdPartyJobs"},
                "acknowledge-lost": {"AcknowledgeThirdPartyJob"},
                "success-throttled": {"PutThirdPartyJobSuccessResult"},
                "success-lost": {"PutThirdPartyJobSuccessResult"},
                "success-timed-out": {"PutThirdPartyJobSuccessResult"},
                "failure-throttled": {"PutThirdPartyJobFailureResult"},
            }.get(request.node.callspec.id, set())
        """
    )

    result = pytester.runpytest("-p", "no:faker")

    result.assert_outcomes(passed=15)


def test_a_fault_that_no_call_meets_is_no_finding(pytester: pytest.Pytester) -> None:
    result = run(pytester, '@pytest.mark.cpjob_faults("poll-throttled")', "True")

    result.assert_outcomes(passed=1)


def test_a_warm_start_shows_what_leaks_from_job_to_job(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import boto3
        import pytest

        codepipeline = boto3.client("codepipeline", region_name="us-east-1")
        pages = []

        def leaky(event, context):
            pages.append("index.html")
            codepipeline.put_job_success_result(
                jobId=event["CodePipeline.job"]["id"], outputVariables={"pages": str(len(pages))}
            )

        @pytest.mark.cpjob_warm
        def test_one_page(cpjob):
            pages.clear()
            job = cpjob.add_lambda_job().invoke(leaky)
            assert len({each.id for each in cpjob.jobs}) == len(cpjob.jobs)
            assert job.result.output_variables == {"pages": "1"}
        """
    )

    result = pytester.runpytest("-v", "-p", "no:faker", "-p", "no:randomly")

    result.stdout.fnmatch_lines(
        ["*::test_one_page?plain? PASSED*", "*::test_one_page?warm? FAILED*"]
    )


def test_several_sweeps_are_one_list(pytester: pytest.Pytester) -> None:
    mark = '@pytest.mark.cpjob_warm\n    @pytest.mark.cpjob_job_variants("plain", "aws-cn")'
    result = run(pytester, mark, 'job.status == "Succeeded"')

    assert names_of(result, "PASSED") == ["plain", "aws-cn", "warm"]


def test_an_unknown_variation_names_the_nearest(pytester: pytest.Pytester) -> None:
    result = run(pytester, '@pytest.mark.cpjob_faults("succes-lost")', "True")

    result.stdout.fnmatch_lines(
        ["*cpjob_faults: no variation 'succes-lost'; did you mean 'success-lost'?"]
    )


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (
            '@pytest.mark.cpjob_job_variants("encyption-key")',
            "@pytest.mark.cpjob_job_variants: no variation 'encyption-key'; did you mean"
            " 'encryption-key'?",
        ),
        (
            '@pytest.mark.cpjob_faults(without="plain")',
            "@pytest.mark.cpjob_faults: without: expected a list of variations' names, got 'plain'",
        ),
        (
            '@pytest.mark.cpjob_faults(withou=["plain"])',
            "@pytest.mark.cpjob_faults: unknown option 'withou'; did you mean 'without'?",
        ),
    ],
)
def test_a_wrong_sweep_names_its_test(pytester: pytest.Pytester, mark: str, said: str) -> None:
    result = run(pytester, mark, "True")

    printed = result.stdout.str()
    assert re.search(
        rf"^(?:E +)?test_my_action\.py::test_builds: {re.escape(said)}$", printed, re.M
    )
    assert "sweeps.py" not in printed


@pytest.mark.parametrize("name", ["cpjob_job_variants", "cpjob_faults", "cpjob_warm"])
def test_a_marker_on_a_test_without_cpjob_is_an_error(pytester: pytest.Pytester, name: str) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.{name}
        def test_one(): ...
        """
    )

    result = pytester.runpytest("-p", "no:faker")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            f"*::test_one: @pytest.mark.{name} runs a test of the cpjob fixture again, and this"
            " test does not use that fixture: give it the argument cpjob, *"
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_cpjob?plugin*")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("cpjob_fault", "cpjob_faults"), ("cpjob_job_variant", "cpjob_job_variants")],
)
def test_a_misspelt_marker_names_the_nearest(
    pytester: pytest.Pytester, name: str, meant: str
) -> None:
    pytester.makepyfile(
        test_function=f"""
        import pytest

        @pytest.mark.{name}("plain")
        def test_one(cpjob): ...
        """,
        test_module=f"""
        import pytest

        pytestmark = pytest.mark.{name}

        def test_two(): ...
        """,
    )

    # pytest itself only warns of it, which a project may ignore.
    result = pytester.runpytest("-p", "no:faker", "-W", "ignore")

    result.assert_outcomes(errors=2)
    for test in ("test_function.py::test_one", "test_module.py::test_two"):
        result.stdout.fnmatch_lines(
            [
                f"*{test}: unknown marker @pytest.mark.{name} (register one of your own in"
                f" pytest's option markers); did you mean '{meant}'?"
            ]
        )
    result.stdout.no_fnmatch_line("*pytest_cpjob?plugin*")


def test_registered_markers_of_the_users_own_may_begin_as_ours(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers =\n    cpjob_slow: waits\n    cpjob_at(day): when it runs")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.cpjob_slow
        @pytest.mark.cpjob_at("Monday")
        @pytest.mark.cpjob_job_variants("plain", "aws-cn")
        def test_one(cpjob): ...
        """
    )

    pytester.runpytest("-p", "no:faker").assert_outcomes(passed=2)


def test_a_modules_marker_is_for_its_tests_of_cpjob(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.cpjob_job_variants("plain", "aws-cn")

        @pytest.fixture
        def job(cpjob):
            return cpjob.add_lambda_job()

        def test_one(): ...
        def test_two(job): ...
        """
    )

    pytester.runpytest("-p", "no:faker").assert_outcomes(passed=3)
