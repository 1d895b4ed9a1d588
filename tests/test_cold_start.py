"""Handlers by name: imported inside the stub, warm from then on, or cold once more."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from pytest_cpjob import CodePipelineStub, ContractError, HandlerError

ENDING = """
import boto3

def handler(event, context):
    client = boto3.client("codepipeline", region_name="us-east-1")
    client.put_job_success_result(jobId=event["CodePipeline.job"]["id"], outputVariables=seen())
"""
COUNTING = """
count = 0

def seen():
    global count
    count += 1
    return {"count": str(count)}
"""

NAMES = "expected 'package.module.function' or 'folder/file.function'"

Write = Callable[[Mapping[str, str]], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write modules, by path, that can be imported during this test."""
    before, written = set(sys.modules), set[str]()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write_modules(modules: Mapping[str, str]) -> None:
        written.update(Path(path).parts[0].removesuffix(".py") for path in modules)
        for path, source in modules.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(source, encoding="utf-8")
        importlib.invalidate_caches()

    yield write_modules

    for name in set(sys.modules) - before:
        if name.partition(".")[0] in written:
            del sys.modules[name]


def of_the_package() -> dict[str, ModuleType]:
    return {
        name: module
        for name, module in sys.modules.items()
        if name == "docs" or name.startswith("docs.")
    }


def variables(cpjob: CodePipelineStub) -> list[dict[str, str]]:
    return [dict(result.output_variables) for result in cpjob.results]


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("docs_action.py", "docs_action.handler"),
        ("docs_package/__init__.py", "docs_package.handler"),
        ("docs_package/actions/build.py", "docs_package.actions.build.handler"),
    ],
)
def test_a_handler_is_found_by_its_name_as_lambda_finds_it(
    cpjob: CodePipelineStub, write: Write, path: str, name: str
) -> None:
    write({path: COUNTING + ENDING})

    assert cpjob.add_lambda_job().invoke(name).status == "Succeeded"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("handler", f"{NAMES}, got 'handler'"),
        (".handler", f"{NAMES}, got '.handler'"),
        ("no_such.handler", "no module 'no_such' found for the handler 'no_such.handler'"),
        (
            "docs.no_such.handler",
            "no module 'docs.no_such' found for the handler 'docs.no_such.handler'",
        ),
        (
            "docs.action.deeper.handler",
            "no module 'docs.action.deeper' found for the handler 'docs.action.deeper.handler'",
        ),
        ("docs.action.lambda_handler", "module 'docs.action' has no function 'lambda_handler'"),
        (
            "docs.action.count",
            "'docs.action.count' is not a handler(event, context): it is the int 0",
        ),
    ],
)
@pytest.mark.parametrize("cold", [False, True])
def test_a_name_that_leads_nowhere_is_an_error_that_says_where_it_ends(
    cpjob: CodePipelineStub, write: Write, name: str, message: str, *, cold: bool
) -> None:
    write({"docs/__init__.py": "", "docs/action.py": COUNTING + ENDING})
    job = cpjob.add_lambda_job()

    with pytest.raises(HandlerError) as caught:
        job.invoke(name, cold=cold)
    with pytest.raises(HandlerError):
        cpjob.invoke(name, cold=cold)

    assert str(caught.value) == message
    assert job.calls == []


def test_a_named_handler_that_is_asynchronous_is_an_error(
    cpjob: CodePipelineStub, write: Write
) -> None:
    write({"docs_action.py": "async def handler(event, context): ..."})

    with pytest.raises(HandlerError, match=r"^handler is asynchronous"):
        cpjob.add_lambda_job().invoke("docs_action.handler")


def test_what_the_handlers_own_module_lacks_is_an_import_error_as_in_lambda(
    cpjob: CodePipelineStub, write: Write
) -> None:
    write({"docs_action.py": "import no_such_library"})

    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        cpjob.add_lambda_job().invoke("docs_action.handler")


@pytest.mark.parametrize("cold", [False, True])
def test_what_is_raised_at_import_reaches_the_test(
    cpjob: CodePipelineStub, write: Write, *, cold: bool
) -> None:
    write({"docs_action.py": "import os\nTHEME = os.environ['NO_SUCH_THEME']"})
    before = dict(sys.modules)

    with pytest.raises(KeyError, match="NO_SUCH_THEME"):
        cpjob.add_lambda_job().invoke("docs_action.handler", cold=cold)

    assert dict(sys.modules) == before


# -- the import ------------------------------------------------------------------------------------


def test_the_import_sees_the_tests_variables_and_lambdas_own(
    cpjob: CodePipelineStub, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THEME", "dark")
    write(
        {
            "docs_action.py": "import os\n"
            "AT_IMPORT = {n: os.environ[n] for n in ('THEME', 'AWS_LAMBDA_FUNCTION_NAME')}\n"
            "def seen(): return AT_IMPORT\n" + ENDING
        }
    )

    cpjob.add_lambda_job(function_name="build-docs").invoke("docs_action.handler")

    assert variables(cpjob) == [{"THEME": "dark", "AWS_LAMBDA_FUNCTION_NAME": "build-docs"}]
    assert "AWS_LAMBDA_FUNCTION_NAME" not in os.environ


AT_IMPORT = (
    "import boto3\n"
    "IDENTITY = boto3.client('sts', region_name='us-east-1').get_caller_identity()\n"
    "def seen(): return {'account': IDENTITY['Account']}\n"
)


def test_calls_at_import_are_answered_by_moto(cpjob: CodePipelineStub, write: Write) -> None:
    write({"docs_action.py": AT_IMPORT + ENDING})
    job = cpjob.add_lambda_job(input_artifacts=["Source"])

    job.invoke("docs_action.handler")

    assert variables(cpjob) == [{"account": "123456789012"}]
    assert [call.operation for call in cpjob.calls] == ["GetCallerIdentity", "PutJobSuccessResult"]


def test_calls_at_import_that_nothing_answers_are_stopped_and_found(
    cpjob: CodePipelineStub, write: Write
) -> None:
    write(
        {
            "docs_action.py": "try:\n"
            + "".join(f"    {line}\n" for line in AT_IMPORT.splitlines())
            + "except Exception as error:\n"
            "    message = type(error).__name__\n"
            "    def seen(): return {'error': message}\n" + ENDING
        }
    )

    cpjob.add_lambda_job().invoke("docs_action.handler")

    assert variables(cpjob) == [{"error": "UnfakedCallError"}]
    with pytest.raises(ContractError, match=r"sts\.GetCallerIdentity") as caught:
        cpjob.check()
    assert caught.value.names == ("unfaked-call",)


# -- warm and cold ---------------------------------------------------------------------------------


def test_a_warm_module_keeps_its_state_from_job_to_job(
    cpjob: CodePipelineStub, write: Write
) -> None:
    write({"docs_action.py": COUNTING + ENDING})

    for _ in range(3):
        cpjob.add_lambda_job().invoke("docs_action.handler")

    assert [each["count"] for each in variables(cpjob)] == ["1", "2", "3"]
    assert sys.modules["docs_action"].count == 3


def test_a_cold_start_imports_anew_and_leaves_the_warm_module_as_it_was(
    cpjob: CodePipelineStub, write: Write
) -> None:
    write({"docs_action.py": COUNTING + ENDING})
    cpjob.add_lambda_job().invoke("docs_action.handler")
    warm = sys.modules["docs_action"]

    for _ in range(2):
        cpjob.add_lambda_job().invoke("docs_action.handler", cold=True)
    cpjob.add_lambda_job().invoke("docs_action.handler")

    assert [each["count"] for each in variables(cpjob)] == ["1", "1", "1", "2"]
    assert sys.modules["docs_action"] is warm


def test_retries_and_continuations_of_a_cold_start_are_warm(
    cpjob: CodePipelineStub, write: Write
) -> None:
    write(
        {
            "docs_action.py": COUNTING
            + """
import boto3

def handler(event, context):
    global count
    count += 1
    job = event["CodePipeline.job"]
    if count == 1:
        raise TimeoutError
    more = {"continuationToken": str(count)} if count < 4 else {}
    client = boto3.client("codepipeline", region_name="us-east-1")
    client.put_job_success_result(jobId=job["id"], **more)
"""
        }
    )

    last = cpjob.add_lambda_job().invoke("docs_action.handler", cold=True, retries=1)

    assert last.facts.continuation_token == "3"
    assert len(cpjob.jobs) == 3


PACKAGE = {
    "docs/__init__.py": "from docs.state import seen\n",
    "docs/state.py": COUNTING,
    "docs/deep/__init__.py": "",
    "docs/deep/action.py": "from docs.state import seen\n" + ENDING,
    "docs/unused.py": "",
    "docs_tools.py": "",
}


def test_a_cold_start_reaches_every_module_of_the_package(
    cpjob: CodePipelineStub, write: Write
) -> None:
    write(PACKAGE)
    for name in ("docs.deep.action", "docs.unused", "docs_tools"):
        importlib.import_module(name)
    before = of_the_package()

    for _ in range(2):
        cpjob.add_lambda_job().invoke("docs.deep.action.handler", cold=True)

    assert [each["count"] for each in variables(cpjob)] == ["1", "1"]
    assert of_the_package() == before
    assert sys.modules["docs"].state is before["docs.state"]


def test_a_cold_start_of_what_was_never_imported_leaves_nothing_imported(
    cpjob: CodePipelineStub, write: Write
) -> None:
    write(PACKAGE)

    cpjob.add_lambda_job().invoke("docs.deep.action.handler", cold=True)

    assert of_the_package() == {}


def test_a_cold_start_leaves_sys_modules_as_it_was_where_the_handler_raises(
    cpjob: CodePipelineStub, write: Write
) -> None:
    write({**PACKAGE, "docs/deep/action.py": "def handler(event, context):\n    1 / 0\n"})
    importlib.import_module("docs.state")
    before = of_the_package()

    with pytest.raises(ZeroDivisionError):
        cpjob.invoke("docs.deep.action.handler", cold=True)

    assert of_the_package() == before


def test_a_module_beside_the_package_whose_name_begins_alike_is_not_imported_anew(
    cpjob: CodePipelineStub, write: Write
) -> None:
    write({**PACKAGE, "docs_tools.py": COUNTING, "docs/state.py": "from docs_tools import seen\n"})

    for _ in range(2):
        cpjob.add_lambda_job().invoke("docs.deep.action.handler", cold=True)

    assert [each["count"] for each in variables(cpjob)] == ["1", "2"]


def test_a_cold_start_sees_variables_that_changed_since_the_warm_one(
    cpjob: CodePipelineStub, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        {
            "docs_action.py": "import os\nTHEME = os.environ['THEME']\n"
            "def seen(): return {'theme': THEME}\n" + ENDING
        }
    )
    for theme, cold in (("dark", False), ("light", False), ("light", True)):
        monkeypatch.setenv("THEME", theme)
        cpjob.add_lambda_job().invoke("docs_action.handler", cold=cold)

    assert [each["theme"] for each in variables(cpjob)] == ["dark", "dark", "light"]


def test_a_cold_start_of_a_function_is_an_error(cpjob: CodePipelineStub) -> None:
    with pytest.raises(HandlerError, match=r"^cold=True .* requires its name, 'package\.module"):
        cpjob.invoke(lambda event, context: None, cold=True)
