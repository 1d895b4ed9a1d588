"""Sweeps over a whole pipeline's run: one action's faults and jobs, orders, retried stages."""

from __future__ import annotations

import pytest

CODE = """
    import time

    import boto3
    from botocore.exceptions import ClientError, ReadTimeoutError

    codepipeline = boto3.client("codepipeline", region_name="us-east-1")


    def action(name, category, provider, owner="AWS", **more):
        kind = {"category": category, "owner": owner, "provider": provider, "version": "1"}
        return {"name": name, "actionTypeId": kind, **more}


    def function(name, **more):
        return action(name, "Invoke", "Lambda", configuration={"FunctionName": name}, **more)


    SITE = [{"name": "Site"}]
    PIPELINE = {
        "name": "site",
        "roleArn": "arn:aws:iam::123456789012:role/site-pipeline",
        "artifactStore": {"type": "S3", "location": "site-artifacts"},
        "stages": [
            {
                "name": "Source",
                "actions": [
                    action(
                        "Pages",
                        "Source",
                        "S3",
                        configuration={"S3Bucket": "sources", "S3ObjectKey": "pages.zip"},
                        outputArtifacts=SITE,
                    )
                ],
            },
            {
                "name": "Check",
                "actions": [
                    function("Links", inputArtifacts=SITE),
                    function("Words", inputArtifacts=SITE),
                    action(
                        "Print", "Build", "Printer", "Custom", runOrder=2, inputArtifacts=SITE,
                        outputArtifacts=[{"name": "Printed"}], configuration={"Paper": "A4"},
                    ),
                ],
            },
        ],
    }


    def s3_of(data):
        keys = data["artifactCredentials"]
        return boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
            aws_session_token=keys["sessionToken"],
        )


    def place(artifact):
        at = artifact["location"]["s3Location"]
        return {"Bucket": at["bucketName"], "Key": at["objectKey"]}


    def check(event, context):
        job = event["CodePipeline.job"]
        try:
            for artifact in job["data"]["inputArtifacts"]:
                s3_of(job["data"]).get_object(**place(artifact))["Body"].read()
        except Exception as error:
            details = {"type": "JobFailed", "message": str(error)}
            codepipeline.put_job_failure_result(jobId=job["id"], failureDetails=details)
            return
        codepipeline.put_job_success_result(jobId=job["id"])


    def printer():
        kind = {"category": "Build", "owner": "Custom", "provider": "Printer", "version": "1"}
        while True:
            try:
                jobs = codepipeline.poll_for_jobs(actionTypeId=kind)["jobs"]
            except Exception:
                jobs = []
            for job in jobs:
                work(job)
            time.sleep(30)


    def work(job):
        try:
            codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
        except ReadTimeoutError:
            pass  # it may have arrived
        except ClientError:
            return  # the job comes again
        try:
            [site], [printed] = job["data"]["inputArtifacts"], job["data"]["outputArtifacts"]
            s3 = s3_of(job["data"])
            content = s3.get_object(**place(site))["Body"].read()
            s3.put_object(**place(printed), Body=content)
            codepipeline.put_job_success_result(jobId=job["id"])
        except Exception as error:
            details = {"type": "JobFailed", "message": str(error)}
            try:
                codepipeline.put_job_failure_result(jobId=job["id"], failureDetails=details)
            except codepipeline.exceptions.InvalidJobStateException:
                pass  # the success had arrived


    PERFORMERS = {"Links": check, "Words": check, "Print": printer}
"""

PASSING = """
    import pytest
    from my_actions import PERFORMERS, PIPELINE

    @pytest.fixture
    def run(cpjob):
        return lambda: cpjob.add_pipeline(PIPELINE).run(PERFORMERS)

    def errors(cpjob):
        return [(call.operation, call.error) for call in cpjob.calls if call.error]

    @pytest.mark.cpjob_faults(
        "get-access-denied", "missing-object", "success-throttled", "put-timed-out", action="Words"
    )
    def test_faults(cpjob, run, request):
        execution = run()
        name = request.node.callspec.id
        assert execution.actions["Links"].status == "Succeeded"
        fails = name in ("get-access-denied", "missing-object")
        assert execution.actions["Words"].status == ("Failed" if fails else "Succeeded")
        assert errors(cpjob) == {
            "get-access-denied": [("GetObject", "AccessDenied")],
            "missing-object": [("GetObject", "AccessDenied")],  # as S3 hides what is not there
            # Lambda invokes the function again.
            "success-throttled": [("PutJobSuccessResult", "ThrottlingException")],
            "put-timed-out": [],
        }[name]

    @pytest.mark.cpjob_faults("poll-throttled", "put-access-denied", action="Check/Print")
    def test_faults_of_a_worker(cpjob, run, request):
        execution = run()
        if request.node.callspec.id == "poll-throttled":
            assert execution.status == "Succeeded"
            assert errors(cpjob) == [("PollForJobs", "ThrottlingException")]
        else:
            assert execution.actions["Print"].status == "Failed"
            assert errors(cpjob) == [("PutObject", "AccessDenied")]

    @pytest.mark.cpjob_job_variants(action="Words")
    def test_jobs(cpjob, run, request):
        execution = run()
        assert execution.status == "Succeeded"
        assert set(execution.artifacts["Site"].files) == {"README.md", "src/app.py"}
        name = request.node.callspec.id
        words, links = (execution.actions[each].job for each in ("Words", "Links"))
        inputs = words.input_artifacts
        assert list(inputs) == (
            ["AnotherArtifact", "Site"] if name == "another-input-first" else ["Site"]
        )
        assert (words.encryption_key is not None) == (name == "encryption-key")
        data = words.event["CodePipeline.job"]["data"]
        assert ("continuationToken" in data) == (name == "continuation-token")
        assert (data["inputArtifacts"][-1]["revision"] is None) == (name == "null-revision")
        assert ("übersicht/日本語.txt" in inputs["Site"].files) == (name == "unicode-file-name")
        plain = links.event["CodePipeline.job"]["data"]
        assert links.encryption_key is None and "continuationToken" not in plain
        assert [each.name for each in links.facts.inputs] == ["Site"]

    @pytest.mark.cpjob_job_variants("encryption-key", "unicode-file-name")
    def test_jobs_that_a_test_adds(cpjob, request):
        job = cpjob.add_pipeline(PIPELINE).add_job("Words", input_artifacts={"Site": {"a": ""}})
        job.invoke(PERFORMERS["Words"])
        assert (job.encryption_key is not None) == (request.node.callspec.id == "encryption-key")
        assert len(job.input_artifacts["Site"].files) == 1 + (job.encryption_key is None)

    @pytest.mark.cpjob_action_orders("Check/Links", "Words")
    def test_orders(cpjob, run, request):
        execution = run()
        done = [call.job_ids[0] for call in cpjob.calls if call.operation == "PutJobSuccessResult"]
        first = execution.actions[request.node.callspec.id.partition("-then-")[0]]
        assert done[0] == first.job.id

    @pytest.mark.cpjob_stage_retries("Print", calls=6)
    def test_retries(cpjob, run, request):
        execution = run()
        assert execution.status == "Succeeded"
        assert set(execution.artifacts["Printed"].files) == {"README.md", "src/app.py"}
        attempts = [each.status for each in execution.actions["Print"].attempts]
        retried = {
            "call-3-refused", "call-3-lost", "call-4-refused", "call-4-lost", "call-5-refused",
        }
        name = request.node.callspec.id
        assert attempts == (["Failed", "Succeeded"] if name in retried else ["Succeeded"])
        assert len(execution.actions["Links"].attempts) == 1
"""


def test_sweeps_apply_to_the_action_that_they_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(my_actions=CODE, test_my_pipeline=PASSING)

    result = pytester.runpytest("-v", "-p", "no:faker", "-p", "no:randomly")

    result.assert_outcomes(passed=4 + 2 + 8 + 2 + 2 + 13)
    result.stdout.fnmatch_lines(
        [
            "*::test_orders?Links-then-Words? PASSED*",
            "*::test_orders?Words-then-Links? PASSED*",
            "*::test_retries?plain? PASSED*",
            "*::test_retries?call-1-refused? PASSED*",
            "*::test_retries?call-1-lost? PASSED*",
        ]
    )


AT_RUN_TIME = {
    'cpjob_faults("get-timed-out", action="Wrods")': "cpjob_faults: action: the pipeline has no"
    " action 'Wrods'; did you mean 'Words'?",
    'cpjob_job_variants("plain", action="Pages")': "cpjob_job_variants: action: Source/Pages is"
    " performed by a stand-in, which gets no job and makes no calls: name an action that a handler"
    " or a worker performs",
    'cpjob_action_orders("Links", "Print")': "cpjob_action_orders: actions: Check/Links (runOrder"
    " 1) and Check/Print (runOrder 2) do not start together: name actions of one stage that have"
    " the same runOrder",
}
AT_COLLECTION = {
    'cpjob_faults("get-timed-out", action=5)': "cpjob_faults: action: expected 'Stage/Action' or an"
    " action's name, got 5",
    'cpjob_job_variants("aws-cn", action="Words")': "cpjob_job_variants: 'aws-cn' with"
    " action='Words': a pipeline's definition decides on its region and names: give add_pipeline"
    " another region or definition, or leave it out",
    'cpjob_warm(action="Words")': "cpjob_warm: unknown option 'action'; expected one of without",
    'cpjob_action_orders("Links")': "cpjob_action_orders: expected 2 to 5 different actions of one"
    " runOrder, such as ('Check/Links', 'Check/Spelling'), got ('Links',): name those that may get"
    " in each other's way",
    "cpjob_stage_retries()": "cpjob_stage_retries: expected one action, such as 'Release/Announce',"
    " got (): give each action a test of its own",
    'cpjob_stage_retries("Words", calls=0)': "cpjob_stage_retries: calls: expected how many of the"
    " action's calls are to fail, one in each run, 1 to 50, got 0",
}


def test_a_sweep_that_cannot_be_names_marker_rule_and_way_out(pytester: pytest.Pytester) -> None:
    lines = ["import pytest", "from my_actions import PERFORMERS, PIPELINE"]
    for number, mark in enumerate(AT_RUN_TIME):
        lines += [f"@pytest.mark.{mark}", f"def test_{number}(cpjob):"]
        lines += ["    cpjob.add_pipeline(PIPELINE).run(PERFORMERS)"]
    lines += ['@pytest.mark.cpjob_faults("get-timed-out", action="Words")']
    lines += ["def test_nothing(cpjob): pass"]
    pytester.makepyfile(my_actions=CODE, test_at_run_time="\n".join(lines))
    for number, mark in enumerate(AT_COLLECTION):
        pytester.makepyfile(
            **{
                f"test_{number}": "import pytest\n"
                f"@pytest.mark.{mark}\ndef test_one(cpjob):\n    pass\n"
            }
        )

    result = pytester.runpytest(
        "-p", "no:faker", "-p", "no:randomly", "--continue-on-collection-errors"
    )

    result.assert_outcomes(failed=len(AT_RUN_TIME) + 2, errors=len(AT_COLLECTION))
    text = result.stdout.str()
    for said in (*AT_RUN_TIME.values(), *AT_COLLECTION.values()):
        assert f"@pytest.mark.{said}" in text
    assert (
        "@pytest.mark.cpjob_faults: the test ran nothing of Words: let it run a pipeline that has"
        " it as far as there, or take the marker away" in text
    )


UNFIT = """
    import pytest
    from my_actions import PERFORMERS, PIPELINE


    @pytest.mark.cpjob_faults(action="Nope")
    def test_run(cpjob):
        cpjob.add_pipeline(PIPELINE).run(PERFORMERS)


    @pytest.mark.cpjob_job_variants("plain", "null-revision", "encryption-key", action="Nope")
    @pytest.mark.parametrize("name", ["site", "docs"])
    def test_jobs(cpjob, name):
        if name == "docs":
            cpjob.add_pipeline(PIPELINE).run(PERFORMERS)


    @pytest.fixture
    def execution(cpjob):
        return cpjob.add_pipeline(PIPELINE).run(PERFORMERS)


    @pytest.mark.cpjob_faults("get-timed-out", "put-timed-out", action="Nope")
    def test_fixture(execution):
        pass


    @pytest.mark.cpjob_faults("get-timed-out", "put-timed-out", action="Words")
    def test_other_failures(cpjob):
        cpjob.add_pipeline(PIPELINE).run(PERFORMERS)
        raise ValueError("the test's own failure")
"""


def test_a_sweep_that_does_not_fit_fails_once(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(my_actions=CODE, test_unfit=UNFIT)

    result = pytester.runpytest("-rs", "-p", "no:faker", "-p", "no:randomly")

    # Of the faults one fails; of the jobs one for each of two reasons; of the rest all.
    result.assert_outcomes(failed=1 + 2 + 2, skipped=14 + 4 + 1, errors=1)
    first = "test_unfit.py::test_run?details-throttled?"
    result.stdout.fnmatch_lines(
        [
            "*the pipeline has no action 'Nope'; expected one of *",
            "SKIPPED ?14? test_unfit.py:*: @pytest.mark.cpjob_faults does not fit this test: see"
            f" {first}",
            "SKIPPED ?2? test_unfit.py:*: @pytest.mark.cpjob_job_variants does not fit this test:"
            " see test_unfit.py::test_jobs?*?",
            "SKIPPED ?2? test_unfit.py:*: @pytest.mark.cpjob_job_variants does not fit this test:"
            " see test_unfit.py::test_jobs?*?",
        ]
    )
    # Where no error has left the test, what it lacks is told by itself.
    result.stdout.no_fnmatch_line("*direct cause*")
    again = pytester.runpytest("-p", "no:faker", "-k", "test_run and truncated-zip")
    again.assert_outcomes(failed=1, deselected=24)
