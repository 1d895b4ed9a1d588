"""A table: every place where text can leave a test, and every secret; each cell is a test.

One run of pytest fills every place with every secret. In it, each test shows each secret in one
way; each file and each screen that the run wrote is then a row of the table.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from user_projects import run

SECRETS = ("secretAccessKey", "sessionToken", "clientToken", "Password", "SSECustomerKey")
RUNS = {
    "long": ["--tb=long", "-ra", "--showlocals", "-vv", "-o", "junit_family=xunit1"],
    "short": ["--tb=short", "-rA", "-o", "junit_family=xunit2", "--log-file=log.txt"],
    "line": ["--tb=line", "-rA"],
    "native": ["--tb=native", "-rA"],
    "html": ["--html=pytest.html", "--self-contained-html"],
}
PLACES = [
    *(f"{name} terminal" for name in RUNS),
    *(f"{name} junit.xml" for name in RUNS),
    "page.html",
    "summary.md",
    "pytest.html",
    "shown.txt",
]

TESTS = """
import json, sys, threading, unittest, warnings
import boto3, pytest
from pytest_cpjob import CodePipelineStub

DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
CLIENT = boto3.client("codepipeline", region_name="us-east-1")
USERS = "a-customers-key-of-32-characters"


@pytest.fixture
def secrets(cpjob):
    cpjob.add_action_type(DOCS, properties={"Password": {"required": True, "secret": True}})
    job = cpjob.add_job(action_type=DOCS, configuration={"Password": "hunter2 is / my % word"})
    partner = cpjob.add_third_party_job(client_token="the-token-of-a-partner")
    keys = job.details["jobDetails"]["data"]["artifactCredentials"]
    found = {
        "secretAccessKey": keys["secretAccessKey"],
        "sessionToken": keys["sessionToken"],
        "clientToken": partner.client_token,
        "Password": "hunter2 is / my % word",
    }
    with open("secrets.json", "a") as file:
        file.write(json.dumps({**found, "SSECustomerKey": USERS}) + "\\n")
    return found


class Broken(Exception):
    def __repr__(self):
        raise RuntimeError("no repr")


def test_raises(secrets):
    raise ValueError(secrets)

def test_compares(secrets):
    assert secrets == {**secrets, "sessionToken": "x"}

def test_compares_texts(secrets):
    assert json.dumps(secrets) == "x"

def test_prints(secrets):
    print(secrets)
    print(secrets, file=sys.stderr)
    sys.stdout.buffer.write(repr(secrets).encode())

@pytest.mark.cpjob(allow=["leaked-secret"])
def test_prints_and_may(secrets):
    print(secrets)

def test_logs(secrets):
    import logging
    logging.getLogger("a").warning("%s", secrets)
    assert not secrets

def test_warns(secrets):
    warnings.warn(str(secrets))

def test_thread(secrets):
    def fails():
        raise ValueError(secrets)
    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()

def test_del(secrets):
    class Deleted:
        def __del__(self):
            raise ValueError(secrets)
    Deleted()

def test_skips(secrets):
    pytest.skip(str(secrets))

def test_xfails(secrets):
    pytest.xfail(str(secrets))

@pytest.mark.xfail(reason="expected")
def test_expected(secrets):
    raise ValueError(secrets)

def test_records(secrets, record_property):
    record_property("secrets", str(secrets))
    record_property("all", secrets)

def test_broken_repr(cpjob, secrets):
    def handler(event, context):
        raise Broken(secrets)
    cpjob.add_lambda_job().invoke(handler)

def test_shows(cpjob, secrets):
    polled = CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"][0]
    CLIENT.acknowledge_job(jobId=polled["id"], nonce=polled["nonce"])
    details = {"type": "JobFailed", "message": str(secrets)}
    CLIENT.put_job_failure_result(jobId=polled["id"], failureDetails=details)
    job = cpjob.jobs[0]
    with open("shown.txt", "w") as file:
        for each in (cpjob, cpjob.jobs, cpjob.calls, job, job.result, cpjob.results):
            print(repr(each), file=file)
        print(job.timeline, job._repr_html_(), cpjob._repr_html_(), file=file)

def own_secrets(stub):
    job = stub.add_lambda_job()
    keys = job.details["jobDetails"]["data"]["artifactCredentials"]
    partner = stub.add_third_party_job(client_token="the-token-of-a-partner")
    found = {**keys, "clientToken": partner.client_token}
    found |= {"Password": USERS, "SSECustomerKey": USERS}
    with open("secrets.json", "a") as file:
        file.write(json.dumps(found) + "\\n")
    return found

def test_own_stub():
    with CodePipelineStub() as stub:
        raise ValueError(own_secrets(stub)["sessionToken"])

class TestOwnStub(unittest.TestCase):
    def setUp(self):
        self.stub = self.enterContext(CodePipelineStub()) if sys.version_info >= (3, 11) else None

    @unittest.skipIf(sys.version_info < (3, 11), "enterContext")
    def test_raises(self):
        self.assertEqual(own_secrets(self.stub)["secretAccessKey"], "x")

    @unittest.skipIf(sys.version_info < (3, 11), "enterContext")
    def test_subtests(self):
        with self.subTest(own_secrets(self.stub)["clientToken"]):
            self.fail("in a subtest")

@pytest.mark.skipif(pytest.version_tuple < (9,), reason="the fixture subtests")
def test_subtests(secrets, request):
    subtests = request.getfixturevalue("subtests")
    with subtests.test(msg=secrets["sessionToken"]):
        assert secrets["sessionToken"] == "x"
    with subtests.test(secret=secrets["clientToken"]):
        print(secrets)
        assert secrets["secretAccessKey"] == "x"

def test_calls_s3(cpjob, secrets):
    from moto import mock_aws
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="mine")
        s3.put_object(Bucket="mine", Key="a", SSECustomerKey=USERS, SSECustomerAlgorithm="AES256")
    assert cpjob.calls == []
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, arguments in RUNS.items():
        folder: Path = tmp_path_factory.mktemp(name)
        (folder / "test_all.py").write_text(TESTS)
        if name == "html":
            arguments = [*arguments, "--cpjob-report=page.html", "--cpjob-report=summary.md"]
        junit = ["--junitxml=junit.xml", "-o", "junit_logging=all"]
        ran = run(folder, *arguments, *junit, beside="html" if name == "html" else "")
        texts[f"{name} terminal"] = "\n".join([*ran.outlines, *ran.errlines])
        for file in folder.iterdir():
            if file.suffix in (".xml", ".html", ".md", ".txt", ".json"):
                named = f"{name} {file.name}" if file.name == "junit.xml" else file.name
                texts[named] = file.read_text("utf-8")
    return texts


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("place", PLACES)
def test_no_place_shows_a_secret(written: dict[str, str], place: str, secret: str) -> None:
    text = written[place]
    assert "masked" in text  # else this place was not filled
    plain = re.sub(r"\x1b\[[0-9;]*m|\s", "", text)
    for line in written["secrets.json"].splitlines():
        value = re.sub(r"\s", "", json.loads(line)[secret])
        at = plain.find(value)
        assert at < 0, plain[max(0, at - 80) : at].replace(value, "...")
        assert value.replace("/", "&#x2F;") not in plain
