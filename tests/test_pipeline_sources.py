"""What cannot be read as a pipeline's definition: one line, which names the file and the place."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pipeline_definitions import declaration, load

from pytest_cpjob import CpjobError

BOMB = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n" + "".join(
    f"{here}: &{here} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, here in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "expected an object at the top, got nothing"),
        ("just text", "expected an object at the top, got text"),
        ("[1, 2]", "expected an object at the top, got a list"),
        ("a: 1", "not a pipeline's definition: expected a PipelineDeclaration, .*; at its top are"),
        ("Resources: {A: {Type: AWS::S3::Bucket}}", "there is no pipeline in it"),
        ("a: [1\nb: 2", "infra.yaml:2:2: not JSON or YAML: "),
        ('{\n\t"a": 1,\n\t"b" 2\n}', "infra.yaml:3:6: not JSON: Expecting ':' delimiter"),
        ("a: !!python/object/apply:os.system [x]", "infra.yaml:1:4: not JSON or YAML: "),
        ("---\na: 1\n---\nb: 2", "infra.yaml:3:1: not JSON or YAML: "),
        (BOMB, "its aliases stand for more than 1,000,000 values"),
        ("a: &a {b: *a}", "a value contains itself, by an alias"),
        ('{"a":' * 100_000, "it is nested too deeply"),
        ("a: " + "[" * 20_000 + "]" * 20_000, "nest"),
        (" " * 10_000_000, "a file of 10,000,000 bytes is too long for a definition"),
        (b"\xff\xfe\xfd", "byte 0 is not UTF-8 text"),
        (b"\x00\x01\x02", "not JSON or YAML"),
    ],
    ids=range(16),
)
def test_what_is_no_definition_is_told_in_one_line(content: str | bytes, text: str) -> None:
    written = content if isinstance(content, bytes) else content.encode()
    Path("infra.yaml").write_bytes(written)

    with pytest.raises(ValueError, match=text) as told:
        load("infra.yaml")

    assert str(told.value).startswith("infra.yaml")
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        ("nowhere.yaml", "nowhere.yaml: cannot be read: No such file or directory"),
        (Path("."), r"\.: cannot be read: Is a directory"),
        ("name: web\nstages: []", "expected a file's path, got text that begins with 'name: web"),
        (7, "definition: expected a dict, a file's path, or a list of them, got int"),
        ([], "definition: expected at least one template, got an empty list"),
        ([7], "definition: expected a dict"),
        ({}, "the definition: not a pipeline's definition"),
        ({"pipeline": 3}, "the definition: not a pipeline's definition"),
    ],
)
def test_what_is_no_file_and_no_dict_is_told(definition: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        load(definition)


def test_a_declaration_is_read_from_json_and_from_yaml() -> None:
    Path("one.json").write_text(json.dumps({"pipeline": declaration()}), encoding="utf-8-sig")
    Path("two.yaml").write_text(json.dumps(declaration(), indent=1), encoding="utf-8")
    Path("three.json").write_text(json.dumps(declaration()), encoding="utf-16")

    for name in ("one.json", Path("two.yaml"), "three.json"):
        assert load(name).declaration == declaration()


def test_null_members_are_absent() -> None:
    given = declaration()
    given["triggers"] = None

    assert load(given).declaration == declaration()


def test_a_declaration_has_no_parameters() -> None:
    with pytest.raises(ValueError, match="the definition is not a template, and has no parameter"):
        load(declaration(), parameters={"Stage": "prod"})


def test_yaml_without_pyyaml_tells_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    Path("infra.yaml").write_text("a: 1", encoding="utf-8")
    Path("infra.json").write_text(json.dumps(declaration()), encoding="utf-8")

    with pytest.raises(CpjobError, match=r"pip install 'pytest-cpjob\[templates\]'"):
        load("infra.yaml")
    assert load("infra.json").declaration == declaration()


def test_a_configuration_of_objects_is_told() -> None:
    given = declaration()
    given["stages"][1]["actions"][0]["configuration"]["EnvironmentVariables"] = [{"name": "a"}]

    with pytest.raises(ValueError, match="EnvironmentVariables: CodePipeline takes text here"):
        load(given)
