"""Pipelines to look at: Mermaid text, HTML, and what a failing test shows."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pipeline_definitions import action, declaration
from user_projects import run

from pytest_cpjob.__main__ import main
from pytest_cpjob.pipelines.drawing import definition_mermaid
from pytest_cpjob.pipelines.svg import definition_svg

DRAWN = """\
flowchart LR
  subgraph s0["Source"]
    a0["Site<br/>S3"]
  end
  subgraph s1["Build"]
    a1["Compile<br/>CodeBuild"]
    a2["Docs<br/>Docs"]
  end
  subgraph s2["Release"]
    a3["Announce<br/>Lambda"]
    a4["Tell<br/>Lambda"]
  end
  s0 --> s1
  s1 --> s2
  a0 -. "Code" .-> a1
  a0 -. "Code" .-> a2
  a1 -. "Site, #35;#123;Build#125;" .-> a3
  a2 -. "Manual" .-> a3
  a3 -. "Post, #35;#123;Announced#125;" .-> a4
"""

FAILING = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pytest_cpjob import StandIn
from pipeline_definitions import declaration
from pipeline_workers import performers

def test_it(cpjob):
    pipeline = cpjob.add_pipeline(declaration())
    compiled = StandIn(failure="exit status <1>")
    given = performers(**{{"Build/Compile": compiled}})
    execution = pipeline.run(given, variables={{"Owner": "a"}})
    assert execution.status == "Succeeded"
"""


def test_a_definition_is_drawn_with_what_is_handed_on() -> None:
    assert definition_mermaid(declaration()) == DRAWN


def test_names_cannot_break_the_drawing() -> None:
    definition = declaration()
    action(definition, "Tell")["actionTypeId"]["provider"] = '"];click a0 "javascript:1"<b>'

    [line] = [each for each in definition_mermaid(definition).splitlines() if "a4[" in each]

    assert line.count('"') == 2
    assert "<b>" not in line


def test_a_file_is_drawn_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(declaration()))

    assert main(["draw", str(file)]) == 0

    assert capsys.readouterr().out == DRAWN


def test_a_template_is_drawn_with_its_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    template = Path(__file__).parents[1] / "examples" / "site_release" / "template.yaml"

    assert main(["draw", str(template), "--parameter", "Stage=prod"]) == 0

    assert 'subgraph s3["Approve"]' in capsys.readouterr().out


def test_a_definition_is_drawn_as_svg(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = declaration()
    action(written, "Tell")["actionTypeId"]["provider"] = "<script>&" + "x" * 100
    picture = ElementTree.fromstring(definition_svg(written))
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(declaration()))

    assert main(["draw", "--format", "svg", str(file)]) == 0

    drawn = ElementTree.fromstring(capsys.readouterr().out)
    name = "{http://www.w3.org/2000/svg}"
    texts = [each.text for each in drawn.iter(f"{name}text")]
    assert [each.text for each in drawn.iter(f"{name}title")] == ["Pipeline web"]
    assert texts[:5] == ["Source", "Site", "S3", "gives Code, #{Src}", "Build"]
    assert "reads Site, #{Build}, Manual" in texts
    boxes = [each for each in picture.iter(f"{name}rect") if each.get("rx") == "4"]
    assert len(boxes) == 5
    assert not list(picture.iter(f"{name}script"))
    width = float(picture.get("width", ""))
    assert all(float(each.get("x", "")) + float(each.get("width", "")) < width for each in boxes)


def test_what_a_template_needs_is_told_as_the_option_that_gives_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = declaration()
    written["name"] = "{{resolve:ssm:/the web}}"
    written["stages"][0]["name"] = {"Ref": "Stage"}
    written["stages"][1]["name"] = {"Fn::ImportValue": "stage"}
    members = {key[0].upper() + key[1:]: value for key, value in written.items()}
    template = {
        "Parameters": {"Stage": {"Type": "String"}},
        "Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": members}},
    }
    file = tmp_path / "template.json"
    file.write_text(json.dumps(template))

    assert main(["draw", str(file)]) == 2

    assert capsys.readouterr().err == (
        f"pytest-cpjob: error: {file}: Resources.P: the pipeline needs what its definition does not"
        " tell: - dynamic reference 'ssm:/the web', for name; give it with --dynamic-reference"
        " 'ssm:/the web'=... - parameter 'Stage' has no default, for stages[0].name; give it with"
        " --parameter Stage=... - import 'stage', for stages[1].name; give it with --import"
        " stage=...\n"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["missing.yaml"], "missing.yaml"),
        (["--parameter", "Stage", "x.json"], "--parameter: expected NAME=VALUE, got 'Stage'"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["draw", *arguments]) == 2

    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_failing_test_shows_the_timeline(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILING)

    result = pytester.runpytest("-p", "no:randomly")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*cpjob timeline of execution*",
            "web, execution *: Failed",
            "*Compile (stand-in): Failed",
            "*! JobFailed: exit status <1>",
        ]
    )


def test_a_failing_test_shows_whole_causes_and_no_values(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it=f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pipeline_definitions import declaration
        from pipeline_workers import performers, silent

        def a_function_with_a_name_of_many_words_that_needs_a_second_line(event, context):
            silent(event, context)

        def test_it(cpjob):
            given = a_function_with_a_name_of_many_words_that_needs_a_second_line
            pipeline = cpjob.add_pipeline(declaration())
            execution = pipeline.run(performers(Announce=given), variables={{"Owner": "help!"}})
            assert execution.status == "Succeeded"
            """
    )

    result = pytester.runpytest("-p", "no:randomly")

    text = result.stdout.str()
    shown = text[text.index("cpjob timeline of execution") :].splitlines()
    end = shown.index("        PutJobSuccessResult.") + 1
    assert shown[2:end] == [
        "  Source: Succeeded",
        "    +0s Site (stand-in): Succeeded",
        "  Build: Succeeded",
        "    +0s Compile (stand-in): Succeeded",
        "    +0s Docs (pipeline_workers.docs_worker): Succeeded",
        "  Release: Failed",
        "    +5s Announce",
        "      (test_it.a_function_with_a_name_of_many_words_that_needs_a_second_line):",
        "      Failed",
        "      ! JobFailed: The AWS Lambda function announce failed to return a result.",
        "        Check the function to verify that it has permission to call the",
        "        PutJobSuccessResult action and that it made a call to",
        "        PutJobSuccessResult.",
    ]
    assert "help!" not in "".join(shown)


def test_an_html_report_has_the_picture(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_html", reason="the extra test has it")
    pytester.makepyfile(FAILING)

    run(pytester.path, "--html=report.html", "--self-contained-html", beside="html")

    report = (pytester.path / "report.html").read_text()
    assert "cpjob-execution" in report


def test_a_markdown_report_has_the_flow_chart(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILING)

    pytester.runpytest("-p", "no:randomly", "--cpjob-report=report.md")

    report = (pytester.path / "report.md").read_text("utf-8")
    chart = report.partition("```mermaid\n")[2].partition("```")[0]
    assert chart.startswith('flowchart LR\n  subgraph s0["Source"]\n')
    assert 'a1["Compile<br/>Failed: JobFailed"]' in chart
    assert "class a1 Failed" in chart
