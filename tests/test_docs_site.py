"""The documentation as a whole: what leads where, what the reference has, what moving brings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError, ParamValidationError
from test_docs import PAGES, fenced, section, tables

import pytest_cpjob
from pytest_cpjob import CodePipelineStub, ContractError
from pytest_cpjob.cli.parser import main
from pytest_cpjob.settings import OPTIONS
from pytest_cpjob.sweeps import variations as sweeps

ROOT = Path(__file__).parent.parent
REFERENCE = (ROOT / "docs" / "reference.rst").read_text("utf-8")
WORKFLOWS = {path.name: path for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}

# -- what leads where ------------------------------------------------------------------------------


def test_the_readme_leads_to_the_index_and_the_index_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "](docs/index.md)" in readme

    listed = [
        name
        for contents in fenced(PAGES["index.md"], "{toctree}")
        for name in contents.splitlines()
        if name and not name.startswith(":")
    ]
    there = {path.stem for kind in ("md", "rst") for path in (ROOT / "docs").glob(f"*.{kind}")}
    assert sorted(listed) == sorted(there - {"index"})


# -- the reference ---------------------------------------------------------------------------------


def test_every_public_name_is_in_the_reference_once() -> None:
    named = re.findall(r"^\.\. auto(?:class|data|exception):: (\w+)$", REFERENCE, re.MULTILINE)
    assert sorted(named) == sorted(pytest_cpjob.__all__)


# -- options and markers ---------------------------------------------------------------------------


def test_the_table_of_options_has_every_option(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--help", "-p", "no:faker").stdout.str()

    [shown] = tables(section(PAGES["options.md"], "The options"))

    cells = "\n".join(" ".join(row[:4]) for row in shown[1:])
    assert set(re.findall(r"`(cpjob_\w+)`", cells)) == set(
        re.findall(r"^  (cpjob_\w+) ", printed, re.MULTILINE)
    )
    assert set(re.findall(r"`(--cpjob[\w-]+)`", cells)) == set(
        re.findall(r"^  (--cpjob[\w-]+)", printed, re.MULTILINE)
    )
    marked = [row[0].strip("`") for row in shown[1:] if row[1] == "yes"]
    assert marked == list(OPTIONS)


def test_the_table_of_markers_has_every_marker(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--markers", "-p", "no:faker").stdout.str()

    [shown] = tables(section(PAGES["options.md"], "Markers"))

    named = re.findall(r"`@pytest\.mark\.(\w+)", "\n".join(row[0] for row in shown))
    assert named == re.findall(r"^@pytest\.mark\.(cpjob\w*)", printed, re.MULTILINE)


def test_the_table_of_fixtures_has_every_fixture(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--fixtures", "-p", "no:faker").stdout.str()

    [shown] = tables(section(PAGES["options.md"], "Fixtures"))

    named = [row[0].strip("`") for row in shown[1:]]
    assert sorted(named) == sorted(re.findall(r"^(cpjob\w*) --", printed, re.MULTILINE))


def test_the_ini_line_that_turns_fakers_plugin_off_works(pytester: pytest.Pytester) -> None:
    [line] = fenced(PAGES["performance.md"], "ini")
    pytester.makeini(f"[pytest]\n{line}")
    pytester.makepyfile(
        "def test_none(pytestconfig): assert not pytestconfig.pluginmanager.hasplugin('faker')"
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


# -- sweeps and hostile artifacts ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("The other jobs", [each.name for each in sweeps.JOB_VARIANTS]),
        ("The faults", [each.name for each in sweeps.FAULTS]),
        ("Warm starts", [each.name for each in sweeps.WARM]),
        ("Hostile artifacts", list(pytest_cpjob.HOSTILE_ARTIFACTS)),
    ],
)
def test_the_page_about_sweeps_has_every_name(heading: str, names: list[str]) -> None:
    [shown] = tables(section(PAGES["sweeps.md"], heading))
    assert sorted(re.findall(r"`([\w-]+)`", " ".join(row[0] for row in shown))) == sorted(names)


# -- the command line ------------------------------------------------------------------------------


def test_the_command_on_the_page_about_sam_prints_an_event(
    capsys: pytest.CaptureFixture[str],
) -> None:
    [command] = fenced(PAGES["from-sam.md"], "console")
    words = command.split()
    assert words[:3] == ["python", "-m", "pytest_cpjob"]
    assert words[-2:] == [">", "event.json"]

    assert main(words[3:-2]) == 0

    job = json.loads(capsys.readouterr().out)["CodePipeline.job"]
    assert job["data"]["inputArtifacts"][0]["name"] == "Source"
    assert job["data"]["actionConfiguration"]["configuration"]["UserParameters"] == "some-input"


# -- what a page about moving says of the handler before -------------------------------------------


def handler_before(page: str) -> dict[str, Any]:
    """What the first block of a page about moving defines: a handler that has passed its tests."""
    names: dict[str, Any] = {"__name__": "before"}
    exec(fenced(section(PAGES[page], "Before"), "python")[0], names)
    return names


def findings_of(handler: Any, **job: Any) -> tuple[str, ...]:
    try:
        with CodePipelineStub() as cpjob:
            cpjob.add_lambda_job(**job).invoke(handler)
    except ContractError as error:
        return error.names
    return ()


def test_the_handler_of_the_mock_has_two_bugs_that_are_caught() -> None:
    names = handler_before("from-magicmock.md")

    with pytest.raises(ParamValidationError, match="failureDetails"), CodePipelineStub() as cpjob:
        cpjob.add_lambda_job().invoke(names["lambda_handler"])

    put = names["codepipeline"].put_job_failure_result

    class Fixed:
        exceptions = names["codepipeline"].exceptions
        put_job_success_result = staticmethod(names["codepipeline"].put_job_success_result)

        @staticmethod
        def put_job_failure_result(*, jobId: str, message: str) -> None:
            put(jobId=jobId, failureDetails={"type": "JobFailed", "message": message})

    names["codepipeline"] = Fixed
    with pytest.raises(ClientError, match="InvalidJobState"), CodePipelineStub() as cpjob:
        cpjob.add_lambda_job().invoke(names["lambda_handler"])


def test_the_handler_of_the_patched_call_has_two_bugs_that_are_caught() -> None:
    names = handler_before("from-moto.md")
    job = {"input_artifacts": {"Source": {"index.md": "# Hi"}}}

    with pytest.raises(ClientError, match="AccessDenied"), CodePipelineStub() as cpjob:
        cpjob.add_lambda_job(**job).invoke(names["lambda_handler"])
    with (
        pytest.raises(ParamValidationError, match="outputVariables"),
        CodePipelineStub(own_role=True) as cpjob,
    ):
        cpjob.add_lambda_job(**job).invoke(names["lambda_handler"])


def test_the_handler_of_the_sample_event_is_caught() -> None:
    names = handler_before("from-sam.md")
    assert findings_of(names["lambda_handler"], user_parameters="x") == ("leaked-secret",)


def test_the_function_of_the_hand_written_event_raises_on_a_plain_one(
    cpjob_event_factory: pytest_cpjob.LambdaEventFactory,
) -> None:
    names = handler_before("from-hand-written-events.md")
    with pytest.raises(KeyError):
        names["target_of"](cpjob_event_factory())


# -- the drawing -----------------------------------------------------------------------------------


def test_the_drawing_has_every_folder_and_no_module_that_is_gone() -> None:
    drawing = (ROOT / "docs" / "architecture.svg").read_text("utf-8")
    package = Path(pytest_cpjob.__file__).parent
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    named = re.findall(r'class="(?:name|parts)">([^<]*)<', drawing)

    words = set(re.findall(r"[a-z_]+/?", " ".join(named)))
    assert {word.rstrip("/") for word in words if word.endswith("/")} == folders
    modules = {path.stem for path in package.rglob("*.py")}
    assert {word for word in words if not word.endswith("/")} <= modules


def test_the_page_about_the_architecture_names_modules_that_exist() -> None:
    package = Path(pytest_cpjob.__file__).parent
    cited = re.findall(r"`((?:[a-z]+/)?[a-z_]+)`", PAGES["architecture.md"])
    paths = {name for name in cited if "/" in name}

    assert len(paths) > 10
    assert [name for name in paths if not (package / f"{name}.py").is_file()] == []


# -- workflows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_pins_its_actions_and_has_no_rights_by_default(name: str) -> None:
    text = WORKFLOWS[name].read_text("utf-8")
    workflow = yaml.safe_load(text)

    assert workflow["permissions"] == {}
    used = re.findall(r"uses: (.*)", text)
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_the_pythons_under_test_are_those_that_are_promised() -> None:
    jobs = yaml.safe_load(WORKFLOWS["ci.yml"].read_text("utf-8"))["jobs"]
    promised = re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"',
        (ROOT / "pyproject.toml").read_text("utf-8"),
    )
    assert jobs["run"]["strategy"]["matrix"]["python"] == promised


def test_a_release_is_tried_on_every_system_with_the_first_and_the_last_python() -> None:
    tried = yaml.safe_load(WORKFLOWS["release.yml"].read_text("utf-8"))["jobs"]["systems"]
    promised = yaml.safe_load(WORKFLOWS["ci.yml"].read_text("utf-8"))["jobs"]["run"]["strategy"]
    pythons = promised["matrix"]["python"]

    systems = ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert tried["strategy"]["matrix"] == {
        "system": systems,
        "python": [pythons[0], pythons[-1]],
    }


# -- examples --------------------------------------------------------------------------------------


def test_the_examples_that_the_pages_name_exist_with_their_tests() -> None:
    listed = re.findall(r"^\| `(\w+\.py)`", PAGES["examples.md"], re.MULTILINE)
    named = {*listed, *re.findall(r"`examples/(\w+\.py)`", "\n".join(PAGES.values()))}

    assert len(listed) > 10
    for name in named:
        assert (ROOT / "examples" / name).is_file()
        assert (ROOT / "examples" / f"test_{name}").is_file()
