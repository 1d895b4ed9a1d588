"""The report of a run: a page, Markdown, pytest-html's extras, and what a notebook shows."""

from __future__ import annotations

import json
import os
import re
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from textwrap import dedent
from typing import Any

import boto3
import pytest
from user_projects import ACTION, run

from pytest_cpjob import CodePipelineStub
from pytest_cpjob.report.elements import Element, element
from pytest_cpjob.report.markdown import markdown
from pytest_cpjob.report.page import ReportedTest
from pytest_cpjob.report.records import Record
from pytest_cpjob.report.style import STYLE

SUITE = """
    import boto3
    import pytest
    import my_action
    from pytest_cpjob import ContractError

    JOB = {"pipeline_name": "web", "stage_name": "Build", "action_name": "Site"}
    NAMED = '<script>alert("`|")</script>'

    def test_builds(cpjob):
        job = cpjob.add_lambda_job(
            input_artifacts=["Source"], output_artifacts=["Site"], **JOB
        )
        assert job.invoke(my_action.lambda_handler).status == "Succeeded"

    def test_forgets(cpjob):
        cpjob.add_lambda_job(**JOB).invoke(my_action.forgets)

    @pytest.mark.parametrize("name", [NAMED], ids=[NAMED])
    def test_hostile(cpjob, name):
        job = cpjob.add_lambda_job(**JOB, user_parameters=name)
        failure = {"type": "JobFailed", "message": f"</main>{name}"}
        boto3.client("codepipeline").put_job_failure_result(jobId=job.id, failureDetails=failure)
        assert job.status == name

    def test_leaks(cpjob):
        job = cpjob.add_lambda_job(**JOB)
        secret = job.event["CodePipeline.job"]["data"]["artifactCredentials"]["secretAccessKey"]
        open("secret", "w").write(secret)
        print(secret)
        failure = {"type": "JobFailed", "message": f"cannot use {secret}"}
        client = boto3.client("codepipeline")
        client.put_job_failure_result(jobId=job.id, failureDetails=failure)
        with pytest.raises(client.exceptions.InvalidJobStateException):
            failure = {"type": "JobFailed", "message": f"again {secret}"}
            client.put_job_failure_result(jobId=job.id, failureDetails=failure)
        assert job.result == secret

    def test_expects(cpjob):
        cpjob.add_lambda_job(**JOB).invoke(my_action.forgets)
        with pytest.raises(ContractError):
            cpjob.check()

    def test_waits(cpjob):
        job = cpjob.add_job(action_type="Build:Custom:Docs:1")
        client = boto3.client("codepipeline")
        kind = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
        [polled] = client.poll_for_jobs(actionTypeId=kind)["jobs"]
        cpjob.advance(95)
        client.acknowledge_job(jobId=job.id, nonce=polled["nonce"])
        client.put_job_success_result(jobId=job.id)

    @pytest.mark.xfail
    def test_is_expected_to_forget(cpjob):
        cpjob.add_lambda_job().invoke(my_action.forgets)

    def test_strange(cpjob):
        job = cpjob.add_lambda_job()
        failure = {"type": "JobFailed", "message": "half a pair: \\udcff"}
        boto3.client("codepipeline").put_job_failure_result(jobId=job.id, failureDetails=failure)

    def test_without_jobs():
        pass
"""
FILES = ("--cpjob-report=out/site/jobs.html", "--cpjob-report=out/summary.MD")


class Page(HTMLParser):
    """A page: its text, its tags, and what its tests show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tests: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert self.open == []
        shown = " ".join(self.texts)
        for part in re.split("\0", shown)[1:]:
            outcome, name, _ = part.split(maxsplit=2)
            self.tests[name] = f"{outcome} {part}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag != "meta":
            self.open.append(tag)
        if tag == "details":
            self.texts.append("\0")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data.strip())

    def of(self, name: str) -> str:
        """What is shown of the test whose name begins so, white space folded."""
        [shown] = [text for each, text in self.tests.items() if each.startswith(name)]
        return " ".join(shown.split())


def project(folder: Path, tests: str = SUITE) -> Path:
    (folder / "my_action.py").write_text(dedent(ACTION), "utf-8")
    (folder / "test_it.py").write_text(dedent(tests), "utf-8")
    return folder


@pytest.fixture(scope="module", params=["0", "2"], ids=["alone", "two-workers"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's project after a run with both kinds of report."""
    pytest.importorskip("xdist", reason="the extra test has it")
    where = project(tmp_path_factory.mktemp("reported"))
    result = run(where, f"-n{request.param}", *FILES)
    assert result.parseoutcomes() == {"passed": 5, "failed": 3, "xfailed": 1}
    result.stdout.fnmatch_lines(
        ["cpjob report: */out/site/jobs.html", "cpjob report: */out/summary.MD"]
    )
    return where


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "out/site/jobs.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def summary(folder: Path) -> str:
    return (folder / "out/summary.MD").read_text("utf-8")


# -- the page --------------------------------------------------------------------------------------


def test_the_page_counts_the_tests_that_had_jobs(page: Page) -> None:
    shown = " ".join(page.texts)

    assert "8 tests with 8 jobs: 4 passed, 3 failed, 1 xfailed" in shown
    assert len(page.tests) == 8
    assert "test_without_jobs" not in shown


def test_the_failing_tests_come_first_and_only_they_are_open(page: Page) -> None:
    outcomes = [text.split()[0] for text in page.tests.values()]

    assert outcomes[:3] == ["failed"] * 3
    assert "failed" not in outcomes[3:]
    assert sum(name == "open" for name, _ in page.attributes) == 3


def test_the_page_loads_nothing_and_runs_nothing(page: Page, folder: Path) -> None:
    text = (folder / "out/site/jobs.html").read_text("utf-8")

    assert not {"script", "link", "img", "iframe", "object", "base"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "srcset", "onclick")]
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert not re.search(r"https?://|url\(|@import", text)


def test_the_page_is_light_or_dark_as_the_reader_has_it_and_fits_a_phone(folder: Path) -> None:
    text = (folder / "out/site/jobs.html").read_text("utf-8")

    assert "@media (prefers-color-scheme:dark){.cpjob{color-scheme:dark;" in text
    assert '<meta name="viewport" content="width=device-width,initial-scale=1">' in text
    assert "@media (max-width:640px)" in text


def test_a_diagram_says_who_called_what_with_whose_credentials(page: Page) -> None:
    shown = page.of("test_builds")

    steps = [
        "Handler CodePipeline S3 +0s CodePipeline to Handler: event delivered to the function",
        "Handler to S3: GetObject input artifact 'Source' with the job's credentials my_action.py:",
        "Handler to S3: PutObject output artifact 'Site' with the job's credentials my_action.py:",
        "Handler to CodePipeline: PutJobSuccessResult my_action.py:",
        "InProgress → Succeeded result: success",
    ]
    places = [shown.index(step) for step in steps]
    assert places == sorted(places)
    assert "passed" in shown[:10]
    assert "web/Build/Site Succeeded Invoke:AWS:Lambda:1, job " in shown


def test_the_job_clock_stands_beside_the_steps(page: Page) -> None:
    shown = page.of("test_waits")

    assert re.search(
        r"Worker CodePipeline \+0s Worker to CodePipeline: PollForJobs .*Queued → Dispatched"
        r" 95 s later \+95s Worker to CodePipeline: AcknowledgeJob .*Dispatched → InProgress"
        r" Worker to CodePipeline: PutJobSuccessResult",
        shown,
    )


def test_a_finding_is_explained_and_marked_where_it_was_made(page: Page) -> None:
    shown = page.of("test_forgets")

    assert "failed" in shown[:10]
    assert re.search(
        r"! 1 no-result job \S+ \(web/Build/Site\) was delivered to its function, and got no result"
        r"\. Then CodePipeline waits .* To fix it Call put_job_success_result .* To allow it"
        r' @pytest\.mark\.cpjob\(allow=\["no-result"\]\)',
        shown,
    )
    assert shown.endswith("event delivered to the function no-result ! 1")


def test_the_findings_are_counted_by_line_with_links_to_their_tests(page: Page) -> None:
    shown = " ".join(" ".join(page.texts).split()).partition("Tests")[0]

    assert "finding line count tests" in shown
    assert re.search(r"no-result x1 test_forgets", shown)
    assert re.search(r"leaked-secret test_it\.py:\d+ x\d test_leaks", shown)
    assert "test_expects" not in shown
    targets = {value for name, value in page.attributes if name == "id"}
    links = {value.removeprefix("#") for name, value in page.attributes if name == "href"}
    assert links <= targets


def test_findings_that_a_passing_test_has_asked_for_are_said_to_be(page: Page) -> None:
    assert "The test expects these findings" in page.of("test_expects")
    assert "The test expects these findings" in page.of("test_is_expected_to_forget")
    assert "The test expects these findings" not in page.of("test_forgets")


def test_what_the_test_failed_with_is_shown(page: Page) -> None:
    assert "assert 'Failed' == '<script>" in page.of("test_hostile")


def test_names_and_messages_are_text_on_the_page(page: Page, folder: Path) -> None:
    text = (folder / "out/site/jobs.html").read_text("utf-8")

    assert '<script>alert("`|")</script>' in page.of("test_hostile")
    assert 'result: JobFailed: </main><script>alert("`|")</script>' in page.of("test_hostile")
    assert "<script" not in text
    assert page.tags.count("main") == 1


def test_what_cannot_be_encoded_is_shown_escaped(page: Page) -> None:
    assert r"result: JobFailed: half a pair: \udcff" in page.of("test_strange")


def test_no_secret_is_in_a_report(folder: Path, page: Page, summary: str) -> None:
    secret = (folder / "secret").read_text()

    assert len(secret) == 40
    for text in ((folder / "out/site/jobs.html").read_text("utf-8"), " ".join(page.texts), summary):
        assert secret not in text
        assert secret[:20] not in text
    assert "result: JobFailed: cannot use <masked>" in page.of("test_leaks")
    assert "Then: JobFailed: again <masked>" in page.of("test_leaks")


# -- Markdown --------------------------------------------------------------------------------------


def test_the_summary_has_the_findings_by_line_and_the_failing_tests(summary: str) -> None:
    assert summary.startswith(
        "## CodePipeline jobs\n\n8 tests with 8 jobs: 4 passed, 3 failed, 1 xfailed\n\n"
        "| finding | line | count | tests |\n|---|---|---:|---:|\n"
    )
    assert "\n| `no-result` |  | 1 | 1 |\n" in summary
    assert summary.count("<details><summary><b>failed</b>") == 3
    assert summary.count("<details>") == summary.count("</details>") == 3
    assert "test_builds" not in summary


def test_the_summary_has_a_failing_tests_steps(summary: str) -> None:
    part = summary.partition("<code>test_it.py::test_forgets</code></summary>\n\n")[2]

    assert re.match(
        r"1\. \*\*no-result\*\*: job \S+ \(web/Build/Site\) was delivered to its function, and"
        r" got no result\.\n   CodePipeline waits .*\n   \*To fix it:\* Call put\\_job\\_success"
        r'\\_result .*\n   \*To allow it:\* `@pytest\.mark\.cpjob\(allow=\["no-result"\]\)`\n\n'
        r"`web/Build/Site`: \*\*InProgress\*\*\n\n```text\n"
        r"\+0s       event delivered to the function\n          no-result \[1\]\n```\n\n</details>",
        part,
    )


def test_names_and_messages_are_text_in_the_summary(summary: str) -> None:
    outside = re.sub(r"^(`{3,})text\n.*?^\1$", "", summary, flags=re.DOTALL | re.MULTILINE)

    assert "&lt;script&gt;alert(" in outside
    assert "<script" not in outside
    assert 'JobFailed: </main><script>alert("`|")</script>' in summary


def test_a_summary_is_never_longer_than_a_ci_service_shows() -> None:
    record: Record = {"actions": [], "findings": [], "blocks": []}
    tests = [
        ReportedTest(f"test_{number}", "failed", "\u20ac" * 2000, 0, record)
        for number in range(200)
    ]

    text = markdown(tests, "")

    assert 400_000 < len(text.encode()) < 501_000
    assert re.search(r"</details>\n\nand \d+ more failing tests\n", text)


# -- reruns ----------------------------------------------------------------------------------------


def test_of_a_test_that_was_run_again_the_last_run_is_shown(tmp_path: Path) -> None:
    pytest.importorskip("pytest_rerunfailures", reason="the extra test has it")
    tests = """
        import my_action

        runs = []

        def test_flaky(cpjob):
            runs.append(1)
            handler = my_action.forgets if len(runs) == 1 else my_action.lambda_handler
            cpjob.add_lambda_job().invoke(handler)
    """
    result = run(
        project(tmp_path, tests), "--reruns=2", "--cpjob-report=jobs.html", beside="rerunfailures"
    )

    assert result.ret == 0
    page = Page((tmp_path / "jobs.html").read_text("utf-8"))
    assert "1 test with 1 job: 1 passed" in " ".join(page.texts)
    shown = page.of("test_flaky")
    assert "test_it.py, 1 job, run 2 times" in shown
    assert "no-result" not in shown


# -- the option ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("jobs.txt", "--cpjob-report=jobs.txt: the file's name must end in .html (a page) or .md"),
        ("", "--cpjob-report=: the file's name must end in .html (a page) or .md"),
        ("taken/jobs.html", "--cpjob-report=taken/jobs.html cannot be written: "),
        ("folder.md", "--cpjob-report=folder.md cannot be written: "),
    ],
)
def test_a_file_that_cannot_be_a_report_is_an_error_before_the_first_test(
    tmp_path: Path, given: str, message: str
) -> None:
    project(tmp_path, "def test_one(cpjob): open('was-run', 'w')")
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "folder.md").mkdir()

    result = run(tmp_path, f"--cpjob-report={given}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}*"])
    assert not (tmp_path / "was-run").exists()


def test_a_run_without_jobs_has_a_report_that_says_so(tmp_path: Path) -> None:
    project(tmp_path, "import os\ndef test_one(): os.chdir('/')")

    result = run(tmp_path, "--cpjob-report=jobs.html")

    result.assert_outcomes(passed=1)
    text = (tmp_path / "jobs.html").read_text("utf-8")
    assert "No test used the cpjob fixture." in Page(text).texts


def test_a_report_that_can_no_longer_be_written_loses_no_outcome(tmp_path: Path) -> None:
    project(tmp_path, "from pathlib import Path\ndef test_one(): Path('jobs.html').mkdir()")

    result = run(tmp_path, "--cpjob-report=jobs.html")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["cpjob report: cannot be written: *jobs.html*"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk, as Linux has one")
def test_a_full_disk_loses_no_other_report_and_no_outcome(tmp_path: Path) -> None:
    tests = """
        import my_action

        def test_forgets(cpjob):
            cpjob.add_lambda_job().invoke(my_action.forgets)

        def test_works(cpjob):
            cpjob.add_lambda_job().invoke(my_action.lambda_handler)
    """
    project(tmp_path, tests)
    (tmp_path / "full.html").symlink_to("/dev/full")

    reports = ("--cpjob-report=full.html", "--cpjob-report=jobs.md", "--junitxml=junit.xml")
    result = run(tmp_path, *reports)

    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    told = [line for line in result.outlines if "cpjob report" in line]
    assert len(told) == 2
    assert "No space left" in told[0]
    assert told[1].endswith("jobs.md")
    assert "test_forgets" in (tmp_path / "jobs.md").read_text("utf-8")
    assert 'failures="1"' in (tmp_path / "junit.xml").read_text("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no modes there")
def test_a_folder_that_cannot_be_written_is_an_error_before_the_first_test(tmp_path: Path) -> None:
    project(tmp_path, "def test_one(cpjob): open('was-run', 'w')")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    # Nothing is closed to root but what the system itself keeps.
    folder = Path("/proc") if os.geteuid() == 0 else closed
    if not folder.exists():
        pytest.skip("root may write everywhere here")

    result = run(tmp_path, f"--cpjob-report={folder}/jobs.html")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    [told] = filter(None, result.errlines)
    assert told.startswith(f"ERROR: --cpjob-report={folder}/jobs.html cannot be written: ")
    assert not (tmp_path / "was-run").exists()


def test_without_the_option_nothing_of_the_report_is_imported_or_kept(tmp_path: Path) -> None:
    tests = """
        import sys
        import my_action

        def test_forgets(cpjob):
            cpjob.add_lambda_job().invoke(my_action.forgets)

        def test_after():
            parts = ("pytest_cpjob.report", "pytest_cpjob.plugin.run_report")
            assert not [name for name in sys.modules if name.startswith(parts)]
    """
    conftest = """
        def pytest_runtest_logreport(report):
            assert not hasattr(report, "cpjob_record")
            assert not getattr(report, "extras", [])
    """
    project(tmp_path, tests)
    (tmp_path / "conftest.py").write_text(dedent(conftest))

    run(tmp_path, "-p", "no:randomly").assert_outcomes(passed=1, failed=1)


# -- pytest-html -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["0", "2"])
def test_pytest_htmls_page_has_the_same_of_each_test(tmp_path: Path, workers: str) -> None:
    pytest.importorskip("pytest_html", reason="the extra test has it")
    pytest.importorskip("xdist", reason="the extra test has it")
    project(tmp_path)

    result = run(tmp_path, "--html=all.html", "--self-contained-html", "-n", workers, beside="html")

    assert result.parseoutcomes() == {"passed": 5, "failed": 3, "xfailed": 1}
    text = (tmp_path / "all.html").read_text("utf-8")
    assert text.count(".cpjob .heads{") == 1
    [blob] = re.findall(r'data-jsonblob="([^"]*)"', text)
    tests = {
        name: " ".join(extra["content"] for extra in runs[0]["extras"])
        for name, runs in json.loads(unescape(blob))["tests"].items()
    }
    shown = tests["test_it.py::test_builds"]
    assert shown.startswith('<div class="cpjob" data-theme="light">')
    assert "<b>PutJobSuccessResult</b>" in shown
    assert "<b>PutJobFailureResult</b>" in tests["test_it.py::test_leaks"]
    assert (tmp_path / "secret").read_text() not in text
    assert tests["test_it.py::test_without_jobs"] == ""


# -- notebooks, and blocks of others ---------------------------------------------------------------


def test_a_job_and_the_stub_show_themselves_in_a_notebook() -> None:
    with CodePipelineStub(allow=["leaked-secret"]) as cpjob:
        first = cpjob.add_lambda_job(user_parameters="<i>")
        second = cpjob.add_lambda_job()
        token = first.event["CodePipeline.job"]["data"]["artifactCredentials"]["sessionToken"]
        client = boto3.client("codepipeline", region_name="us-east-1")
        client.put_job_success_result(jobId=first.id, outputVariables={"said": f"<i>{token}"})
        of_job, of_all = first._repr_html_(), cpjob._repr_html_()

    assert first.id in of_job
    assert second.id not in of_job
    assert first.id in of_all
    assert second.id in of_all
    for shown in (of_job, of_all):
        assert shown.startswith("<style>")
        assert "result: success, output variables {'said': '&lt;i&gt;&lt;masked&gt;'}" in shown
        assert token not in shown
        assert "<i>" not in shown
        assert shown.count('class="cpjob"') == 1


def test_a_secret_in_an_objects_key_is_masked() -> None:
    keys: list[str] = []

    def handler(event: dict[str, Any], context: object) -> None:
        job = event["CodePipeline.job"]
        keys.append(job["data"]["artifactCredentials"]["sessionToken"])
        bucket = job["data"]["inputArtifacts"][0]["location"]["s3Location"]["bucketName"]
        s3 = boto3.client("s3", region_name="us-east-1")
        with pytest.raises(s3.exceptions.ClientError):
            s3.put_object(Bucket=bucket, Key=f"logs/{keys[0]}", Body=b"")
        codepipeline = boto3.client("codepipeline", region_name="us-east-1")
        codepipeline.put_job_success_result(jobId=job["id"])

    with CodePipelineStub(allow=["leaked-secret", "own-role", "refused-request"]) as cpjob:
        job = cpjob.add_lambda_job(input_artifacts=["Source"])
        job.invoke(handler)
        shown = job._repr_html_()

    assert "/logs/&lt;masked&gt;</span>" in shown
    assert keys[0] not in shown


def test_no_step_takes_the_style_of_something_inside_a_step() -> None:
    with CodePipelineStub(allow=["no-result"]) as cpjob:
        job = cpjob.add_lambda_job(function_name="fn")
        job.invoke(lambda event, context: None)
        cpjob.advance(24 * 3600)
        shown = job._repr_html_()

    assert job.status == "TimedOut"
    kinds = {name for names in re.findall(r'<li class="([^"]+)"', shown) for name in names.split()}
    assert kinds >= {"event", "change"}
    assert set(re.findall(r"\.cpjob \.([a-z]+)\{", STYLE)).isdisjoint(kinds)


def test_a_pipelines_execution_is_a_block(tmp_path: Path) -> None:
    tests = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pipeline_definitions import declaration
        from pipeline_workers import performers
        from pytest_cpjob import StandIn

        def test_runs(cpjob):
            compiled = StandIn(failure="exit status <1>")
            performed = performers(**{{"Build/Compile": compiled}})
            pipeline = cpjob.add_pipeline(declaration())
            assert pipeline.run(performed, variables={{"Owner": "a"}}).status == "Failed"
    """
    run(project(tmp_path, tests), "--cpjob-report=jobs.html").assert_outcomes(passed=1)

    text = (tmp_path / "jobs.html").read_text("utf-8")
    block = text[text.index("<h3>Pipeline execution ") :]
    assert '<div class="cpjob-execution"><p><b>web: Failed</b>' in block
    assert "JobFailed: exit status &lt;1&gt;" in block


def test_a_block_stands_below_the_jobs_of_its_test(tmp_path: Path) -> None:
    tests = """
        def test_block(cpjob):
            job = cpjob.add_lambda_job()
            cpjob._harness.report_blocks.append(
                lambda: {"title": f"Pipeline <{job.status}>", "html": "<svg><path/></svg>"}
            )
            cpjob.client().put_job_success_result(jobId=job.id)
    """
    run(project(tmp_path, tests), "--cpjob-report=jobs.html").assert_outcomes(passed=1)

    text = (tmp_path / "jobs.html").read_text("utf-8")
    assert "<h3>Pipeline &lt;Succeeded&gt;</h3><div><svg><path/></svg></div></details>" in text


def test_an_element_escapes_its_texts_and_attributes_and_keeps_its_elements() -> None:
    inner = element("b", "a & <b>", title='"x" & y', hidden=True, id=None, data_theme="dark")

    assert inner == (
        '<b title="&quot;x&quot; &amp; y" hidden data-theme="dark">a &amp; &lt;b&gt;</b>'
    )
    assert element("p", inner, "<", class_="c") == f'<p class="c">{inner}&lt;</p>'
    assert element("meta", charset="utf-8") == '<meta charset="utf-8">'
    assert isinstance(inner, Element)
