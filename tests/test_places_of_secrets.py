"""Every place where text can leave a test by, and every secret: each pair is masked, or found.

One run of pytest has a test for each pair, and writes whatever pytest and its plugins can write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from textwrap import dedent

import boto3
import pytest
from forked_pytest import run_forked
from user_projects import run, run_alike

from pytest_cpjob import CodePipelineStub

SECRETS = ("secretAccessKey", "sessionToken", "clientToken", "property")

SUITE = r"""
    import json
    import logging
    import sys
    import tempfile
    import threading
    import unittest
    import warnings

    import boto3
    import pytest
    from moto import mock_aws

    from pytest_cpjob import CodePipelineStub

    CLIENT = boto3.client("codepipeline", region_name="us-east-1")
    DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
    KINDS = ["secretAccessKey", "sessionToken", "clientToken", "property"]
    each_kind = pytest.mark.parametrize("kind", KINDS)

    def secret_of(cpjob, kind):
        if kind == "clientToken":
            value = cpjob.add_third_party_job().client_token
        elif kind == "property":
            value = 'pass "word\' with\\all'
            cpjob.add_action_type(DOCS, properties={"Password": {"required": True, "secret": True}})
            cpjob.add_job(action_type=DOCS, configuration={"Password": value})
        else:
            details = cpjob.add_lambda_job().details
            value = details["jobDetails"]["data"]["artifactCredentials"][kind]
        with open("secrets.txt", "a") as known:
            known.write(json.dumps(value) + "\n")
        return value

    @pytest.fixture(params=KINDS)
    def text(request, cpjob):
        '''What a test lets out: a secret, beside its place and its kind.'''
        place = request.function.__name__.removeprefix("test_")
        return f"[{place} {request.param}: {secret_of(cpjob, request.param)}]"

    # -- tracebacks, summaries

    def test_local(text):
        held = {"one": text}
        assert not held

    def test_argument(text):
        def called(argument):
            raise ValueError
        called(text)

    def test_message(text):
        raise ValueError(text)

    def test_cause(text):
        try:
            raise KeyError(text)
        except KeyError as error:
            raise ValueError("after") from error

    def test_group(text):
        with_note = ValueError(text)
        raise ValueError(with_note, [text.encode()])

    def test_difference(text):
        assert {"a": [text], "b": 1} == {"a": ["other"], "b": 2}

    def test_lines(text):
        assert f"one\n{text}\nthree" == "one\ntwo\nthree"

    def test_plain_failure(text):
        pytest.fail(text, pytrace=False)

    def test_skip(text):
        pytest.skip(text)

    def test_xfail(text):
        pytest.xfail(text)

    @pytest.mark.xfail(reason="expected")
    def test_expected_failure(text):
        raise ValueError(text)

    class Broken(Exception):
        def __repr__(self):
            raise RuntimeError(self.args[0])
        __str__ = __repr__

    def test_broken_exception(text, cpjob):
        def handler(event, context):
            raise Broken(text)
        cpjob.add_lambda_job().invoke(handler)

    def test_broken_expected(text, cpjob):
        def handler(event, context):
            raise Broken(text)
        with pytest.raises(Broken):
            cpjob.add_lambda_job().invoke(handler)

    @pytest.fixture
    def fails_first(text):
        raise ValueError(text)

    def test_setup(text, fails_first):
        pass

    @pytest.fixture
    def fails_last(text):
        yield
        print(text)
        raise ValueError(text)

    def test_teardown(text, fails_last):
        pass

    # -- output

    def test_stdout(text):
        print(text)

    def test_stderr(text):
        print(text, file=sys.stderr)

    def test_log(text):
        logging.getLogger("build").error(text)

    def test_bytes(text):
        sys.stdout.buffer.write(b"\xff\xfe" + text.encode() + b"\n")
        sys.stdout.flush()

    def test_no_text(text):
        with pytest.raises(TypeError):
            sys.stdout.write(5)
        print(text)

    def test_read_away(text, capsys):
        print(text)
        capsys.readouterr()

    # -- what outlives the code

    def test_other_bucket(text, cpjob):
        with mock_aws():
            s3 = boto3.client("s3", region_name="us-east-1")
            s3.create_bucket(Bucket="mine")
            s3.put_object(Bucket="mine", Key="a", Body=text.encode())

    def test_left_file(text, cpjob, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

        def handler(event, context):
            (tmp_path / "event.txt").write_text(text, "utf-8")
            CLIENT.put_job_success_result(jobId=event["CodePipeline.job"]["id"])

        cpjob.add_lambda_job().invoke(handler)

    # -- warnings, what nobody catches

    def test_warning(text):
        warnings.warn(text)

    class Late:
        def __init__(self, text):
            self.text = text
        def __del__(self):
            raise ValueError(self.text)

    def test_del(text):
        Late(text)

    def test_thread(text):
        def run():
            raise ValueError(text)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    # -- what a test records

    def test_property(text, record_property):
        record_property("plain", text)
        record_property("nested", {"a": [text, 5], "b": None})
        record_property(text, 5)

    def test_object_property(text, record_property):
        class Thing:
            def __str__(self):
                return text
        record_property("thing", Thing())

    def test_suite_property(text, record_testsuite_property):
        record_testsuite_property("plain", text)
        record_testsuite_property(text, "plain")

    @pytest.mark.filterwarnings("ignore")
    def test_attribute(text, record_xml_attribute):
        record_xml_attribute("plain", text)

    # -- parts of a test

    needs_subtests = pytest.mark.skipif(
        not hasattr(pytest, "Subtests"), reason="subtests came with pytest 9"
    )

    @needs_subtests
    def test_part(text, request):
        subtests = request.getfixturevalue("subtests")
        with subtests.test(text, value=text):
            raise ValueError(text)

    @needs_subtests
    def test_part_output(text, request):
        subtests = request.getfixturevalue("subtests")
        with subtests.test("prints"):
            print(text)

    @needs_subtests
    def test_part_failure(text, request):
        subtests = request.getfixturevalue("subtests")
        with subtests.test("fails"):
            print(text)
            raise ValueError

    @needs_subtests
    def test_part_skip(text, request):
        subtests = request.getfixturevalue("subtests")
        with subtests.test("skips"):
            pytest.skip(text)

    # -- stubs of the test's own

    @each_kind
    def test_own_stub(kind):
        with CodePipelineStub() as stub:
            held = f"[own_stub {kind}: {secret_of(stub, kind)}]"
            assert not held

    @each_kind
    def test_own_stub_left(kind, record_property):
        with CodePipelineStub() as stub:
            held = f"[own_stub_left {kind}: {secret_of(stub, kind)}]"
        record_property("held", held)
        warnings.warn(held)
        print(held)

    class TestCase(unittest.TestCase):
        def check(self, kind):
            self.stub = self.enter(CodePipelineStub())
            text = f"[unittest {kind}: {secret_of(self.stub, kind)}]"
            with self.subTest(text, value=text):
                self.assertEqual(text, "other")
            self.assertEqual(text, "more")

        def enter(self, stub):
            stub.__enter__()
            self.addCleanup(stub.__exit__, ValueError, None, None)
            return stub

    for kind in KINDS:
        setattr(TestCase, f"test_{kind}", lambda self, kind=kind: self.check(kind))

    def test_customers_key(cpjob):
        key = "a-customers-key-of-" "32-characters"
        with open("secrets.txt", "a") as known:
            known.write(json.dumps(key) + "\n")
        with mock_aws():
            s3 = boto3.client("s3", region_name="us-east-1")
            s3.create_bucket(Bucket="mine")
            s3.put_object(
                Bucket="mine", Key="a", SSECustomerKey=key, SSECustomerAlgorithm="AES256"
            )
        del key
        assert cpjob.calls == ["customers' key"]

    # -- what was reported, in timelines

    @each_kind
    def test_timeline(cpjob, kind):
        value = secret_of(cpjob, kind)
        job = cpjob.jobs[-1]
        failed = {"type": "JobFailed", "message": f"[timeline {kind}: {value}]"}
        if kind == "clientToken":
            who = {"jobId": job.id, "clientToken": value}
            nonce = CLIENT.get_third_party_job_details(**who)["jobDetails"]["nonce"]
            CLIENT.acknowledge_third_party_job(**who, nonce=nonce)
            CLIENT.put_third_party_job_failure_result(**who, failureDetails=failed)
            return
        if kind == "property":
            [polled] = CLIENT.poll_for_jobs(actionTypeId=DOCS)["jobs"]
            CLIENT.acknowledge_job(jobId=job.id, nonce=polled["nonce"])
        CLIENT.put_job_failure_result(jobId=job.id, failureDetails=failed)
"""

TERMINAL, JUNIT, HTML, PAGE, MARKDOWN = "terminal", "junit", "pytest-html", "page", "markdown"

PLACES: dict[str, tuple[str, ...]] = {
    "local": (TERMINAL, JUNIT, HTML),
    "argument": (TERMINAL, JUNIT, HTML),
    "message": (TERMINAL, JUNIT, HTML, PAGE, MARKDOWN),
    "cause": (TERMINAL, JUNIT, HTML),
    "group": (TERMINAL, JUNIT, HTML),
    "difference": (TERMINAL, JUNIT, HTML),
    "lines": (TERMINAL, JUNIT, HTML),
    "plain_failure": (TERMINAL, JUNIT, HTML),
    "skip": (TERMINAL, JUNIT, HTML),
    "xfail": (TERMINAL, JUNIT),
    "expected_failure": (HTML,),
    "broken_exception": (TERMINAL, JUNIT, HTML),
    "setup": (TERMINAL, JUNIT, HTML),
    "teardown": (TERMINAL, JUNIT, HTML),
    "stdout": (TERMINAL, JUNIT, HTML),
    "stderr": (TERMINAL, JUNIT, HTML),
    "log": (TERMINAL, JUNIT, HTML),
    "bytes": (TERMINAL, JUNIT, HTML),
    "no_text": (TERMINAL, JUNIT, HTML),
    "read_away": (TERMINAL,),
    "warning": (TERMINAL,),
    "del": (TERMINAL,),
    "thread": (TERMINAL,),
    "property": (JUNIT,),
    "object_property": (JUNIT,),
    "suite_property": (JUNIT,),
    "part": (TERMINAL,),
    "part_output": (TERMINAL,),
    "part_failure": (TERMINAL,),
    "part_skip": (TERMINAL,),
    "own_stub": (TERMINAL, JUNIT, HTML),
    "own_stub_left": (TERMINAL, JUNIT, HTML),
    "unittest": (TERMINAL, JUNIT, HTML),
    "timeline": (TERMINAL, PAGE, MARKDOWN),
}
"""Each place, and where what left there is seen, masked."""

FOUND = {
    "stdout": "stdout",
    "stderr": "stderr",
    "log": "the log",
    "bytes": "stdout",
    "no_text": "stdout",
    "read_away": "stdout",
    "warning": "a warning",
    "del": "stderr",
    "thread": "stderr",
    "part_output": "stdout",
    "timeline": "the failure message",
    "other_bucket": "the object s3://mine/a",
    "left_file": "the file ",
}
"""What reaches others, by a log or otherwise, in the real thing too, and so is a finding."""


@dataclass
class Outcome:
    """What one run has let out, by place; and what was secret in it."""

    seen: dict[str, str]
    log_file: str
    secrets: set[str]


def outcome_of(folder: Path, *arguments: str) -> Outcome:
    (folder / "test_suite.py").write_text(dedent(SUITE), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        run_alike(patch, beside="html")
        patch.setenv("COLUMNS", "3000")
        result = run_forked(folder, "-p", "no:cacheprovider", *arguments)
    assert result.ret in (0, 1)
    files = {
        JUNIT: "junit.xml",
        HTML: "tests.html",
        PAGE: "report.html",
        MARKDOWN: "report.md",
        "log file": "log.txt",
    }
    seen = {
        name: unescape(unescape((folder / file).read_text("utf-8")))
        for name, file in files.items()
        if (folder / file).exists()
    }
    log_file = seen.pop("log file", "")
    seen[TERMINAL] = "\n".join([*result.outlines, *result.errlines])
    secrets = {json.loads(line) for line in (folder / "secrets.txt").read_text().splitlines()}
    return Outcome(seen, log_file, secrets)


def left_in(text: str, secrets: Iterable[str]) -> list[str]:
    """What of a text shows a secret or a part of one, however it is coloured or wrapped."""
    plain = re.sub(r"\x1b\[[0-9;]*m|\s", "", text)
    forms = {form for one in secrets for form in (one, repr(one)[1:-1], json.dumps(one)[1:-1])}
    forms = {re.sub(r"\s", "", form) for form in forms}
    parts = {part for one in forms for part in (one[:20], one[len(one) // 2 :][:20], one[-20:])}
    places = [(plain.find(part), part) for part in parts]
    return [plain[max(at - 100, 0) : at + len(part)] for at, part in places if at >= 0]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run that writes all that it can."""
    return outcome_of(
        tmp_path_factory.mktemp("everything"),
        *("-rA", "-vv", "--showlocals", "--tb=long"),
        *("--junitxml=junit.xml", "-o", "junit_logging=all"),
        *("--html=tests.html", "--self-contained-html"),
        *("--cpjob-report=report.html", "--cpjob-report=report.md"),
        *("--log-file=log.txt", "--log-level=INFO"),
    )


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_masked_where_it_is_seen(everything: Outcome, place: str, kind: str) -> None:
    if place.startswith("part") and not hasattr(pytest, "Subtests"):
        pytest.skip("subtests came with pytest 9")
    for name in PLACES[place]:
        # pytest leaves out the middle of a long argument, and of a broken exception's.
        assert f"[{place} {kind}: <masked>" in everything.seen[name], name


@pytest.mark.parametrize("name", [TERMINAL, JUNIT, HTML, PAGE, MARKDOWN])
def test_nothing_else_shows_a_secret(everything: Outcome, name: str) -> None:
    assert left_in(everything.seen[name], everything.secrets) == []


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("place", FOUND)
def test_what_reaches_a_log_is_found(everything: Outcome, place: str, kind: str) -> None:
    if place.startswith("part") and not hasattr(pytest, "Subtests"):
        pytest.skip("subtests came with pytest 9")
    what = "the secret property 'Password'" if kind == "property" else kind
    line = rf"^FAILED test_suite.py::test_{place}\[{kind}\] - (.*)$"
    [failed] = re.findall(line, everything.seen[TERMINAL], re.MULTILINE)
    assert failed.startswith("leaked-secret")
    assert f"{what} of job" in failed
    assert f"is in {FOUND[place]}" in failed


@pytest.mark.parametrize("kind", SECRETS)
def test_a_log_file_is_written_at_once_so_that_its_secrets_are_found(
    everything: Outcome, kind: str
) -> None:
    assert f"[log {kind}: " in everything.log_file
    assert f"[log {kind}: <masked>]" not in everything.log_file
    assert f"FAILED test_suite.py::test_log[{kind}] - leaked-secret" in everything.seen[TERMINAL]


def test_a_customers_key_is_masked(everything: Outcome) -> None:
    assert "'SSECustomerKey': '<masked>'" in everything.seen[TERMINAL]


def test_an_exception_that_cannot_be_shown_breaks_no_report(everything: Outcome) -> None:
    terminal = everything.seen[TERMINAL]
    assert "cannot be described" not in terminal
    assert "INTERNALERROR" not in terminal
    for kind in SECRETS:
        [failed] = re.findall(
            rf"^FAILED test_suite.py::test_broken_expected\[{kind}\] - (.*)$",
            terminal,
            re.MULTILINE,
        )
        assert failed.startswith("raised")


@pytest.mark.parametrize(
    "options",
    [
        ("--tb=short",),
        ("--tb=line", "-ra"),
        ("--tb=native", "--capture=sys"),
        ("-vv", "--color=yes", "-o", "junit_family=xunit1", "--junitxml=junit.xml"),
        (
            "-n1",
            "-p",
            "xdist",
            "-rA",
            "-k",
            "Key and (part or warning or thread or property or skip)",
        ),
    ],
    ids=["short", "line", "native", "coloured", "xdist"],
)
def test_other_ways_to_show_a_run_show_no_secret(tmp_path: Path, options: tuple[str, ...]) -> None:
    chosen = (
        ()
        if "-k" in options
        else ("-k", "sessionToken and (message or cause or difference or part)")
    )
    outcome = outcome_of(tmp_path, *options, *chosen)

    assert "<masked>" in outcome.seen[TERMINAL]
    for text in outcome.seen.values():
        assert left_in(text, outcome.secrets) == []


MACHINE = """
    import os

    from pytest_cpjob import CodePipelineStub

    KEY, TOKEN = os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_SESSION_TOKEN"]

    def test_fails(cpjob):
        print(f"[{KEY}]", f"[{TOKEN}]")
        raise ValueError(f"[{KEY}] [{TOKEN}]")

    def test_fails_without_jobs():
        with CodePipelineStub():
            pass
        assert f"[{KEY}]" == f"[{TOKEN}] other"
"""


@pytest.mark.parametrize(
    ("key", "token", "is_masked"),
    [
        ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYzEXAMPLEKE", "IQoJb3JpZ2luX2VjE+/" * 20 + "==", True),
        ("testing", "testing", False),
        ("test-secret-access-key-of-a-build-server", "dummydummy", False),
        ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYzEXAMPLEK", "IQoJb3JpZ2luX2VjE+/" * 5, False),
    ],
    ids=["real", "moto's", "dummy", "too short"],
)
def test_the_machines_own_secrets_are_masked_if_they_look_like_awss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, token: str, is_masked: bool
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    (tmp_path / "test_suite.py").write_text(dedent(MACHINE), "utf-8")

    result = run(tmp_path, "--junitxml=junit.xml", "-o", "junit_logging=all", "-vv", "-rA")

    result.assert_outcomes(failed=2)
    for text in (result.stdout.str(), (tmp_path / "junit.xml").read_text("utf-8")):
        shown = unescape(text)
        assert (f"[{key}]" in shown) == (f"[{token}]" in shown) == (not is_masked)
        assert ("[<masked>]" in shown) == is_masked
        assert (left_in(text, [key, token]) == []) == is_masked


def test_attributes_in_an_xml_file_are_masked(tmp_path: Path) -> None:
    options = ("-o", "junit_family=xunit1", "--junitxml=junit.xml", "-k", "test_attribute")
    outcome = outcome_of(tmp_path, *options)

    for kind in SECRETS:
        assert f'plain="[attribute {kind}: <masked>]"' in outcome.seen[JUNIT]
    assert left_in(outcome.seen[JUNIT], outcome.secrets) == []


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="subtests came with pytest 9")
def test_annotations_on_github_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pytest_github_actions_annotate_failures", reason="the extra test has it")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    outcome = outcome_of(tmp_path, "-k", "test_message or test_part or test_warning")

    annotations = re.findall(r"::(?:error|warning) .*", outcome.seen[TERMINAL])
    for place in ("message", "part", "warning"):
        for kind in SECRETS:
            assert any(f"[{place} {kind}: <masked>" in each for each in annotations), place
    assert left_in("\n".join(annotations), outcome.secrets) == []


DOCS = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
CLIENT = boto3.client("codepipeline", region_name="us-east-1")


@pytest.mark.cpjob(allow=["leaked-secret"])
@pytest.mark.parametrize("kind", SECRETS)
def test_what_a_notebook_or_a_debugger_shows_of_ours_is_masked(
    cpjob: CodePipelineStub, kind: str
) -> None:
    job = cpjob.add_lambda_job(output_artifacts=["Site"])
    partner = cpjob.add_third_party_job()
    cpjob.add_action_type(DOCS, properties={"Password": {"required": True, "secret": True}})
    cpjob.add_job(action_type=DOCS, configuration={"Password": "hunter2-hunter2"})
    credentials = job.details["jobDetails"]["data"]["artifactCredentials"]
    token = str(partner.client_token)
    secret = {"clientToken": token, "property": "hunter2-hunter2", **credentials}[kind]

    details = {"type": "JobFailed", "message": f"it was {secret[:900]}"}
    CLIENT.put_job_failure_result(jobId=job.id, failureDetails=details)

    for shown in (
        repr(job.result),
        repr(job.calls),
        repr(cpjob.calls[-1]),
        job.timeline,
        job._repr_html_(),
        cpjob._repr_html_(),
    ):
        assert "masked" in shown
    for shown in (repr(cpjob), repr(job), repr(job.output_artifacts["Site"]), repr(partner)):
        assert left_in(shown, [secret]) == []
