"""Options: which of several values wins, what is refused and how, and what pytest prints of us."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_cpjob import CodePipelineStub, CpjobError
from pytest_cpjob.defaults import CHECKS
from pytest_cpjob.settings import OPTIONS, resolve

LEVELS = ("call", "marker", "outer marker", "outermost marker", "command line", "ini file")
VALUES: dict[str, dict[str, str]] = {
    # Each option's value at each level that has it; the nearest level comes first.
    "region": {
        "call": "eu-west-1",
        "marker": "eu-west-2",
        "outer marker": "eu-west-3",
        "outermost marker": "eu-north-1",
        "ini file": "eu-central-1",
        "built-in": "us-east-1",
    },
    "account_id": {
        "call": "000000000001",
        "marker": "000000000002",
        "outer marker": "000000000003",
        "outermost marker": "000000000004",
        "ini file": "000000000006",
        "built-in": "123456789012",
    },
    "seed": {
        "marker": "of the function",
        "outer marker": "of the class",
        "outermost marker": "of the module",
        "command line": "of the command line",
        "ini file": "of the ini file",
        "built-in": "cpjob",
    },
}


def winners() -> list[tuple[str, str]]:
    return [(option, level) for option, values in VALUES.items() for level in values]


def write(pytester: pytest.Pytester, given: Mapping[str, Mapping[str, object]], body: str) -> None:
    """A test with options at each level: of its class and its module, and in the ini file."""
    pytester.makepyfile(
        f"""
        import pytest

        pytestmark = pytest.mark.cpjob(**{dict(given.get("outermost marker", {}))!r})
        CALL = {dict(given.get("call", {}))!r}

        @pytest.mark.cpjob(**{dict(given.get("outer marker", {}))!r})
        class TestIt:
            @pytest.mark.cpjob(**{dict(given.get("marker", {}))!r})
            def test_it(self, cpjob, cpjob_pipeline_context_factory):
                {body}
        """
    )
    lines = [f"cpjob_{name} = {value}" for name, value in given.get("ini file", {}).items()]
    pytester.makeini("\n".join(["[pytest]", *lines]))


def run(
    pytester: pytest.Pytester, given: Mapping[str, Mapping[str, object]], *arguments: str
) -> pytest.RunResult:
    options = [f"--cpjob-{name}={value}" for name, value in given.get("command line", {}).items()]
    return pytester.runpytest("-p", "no:faker", "-p", "no:randomly", *options, *arguments)


@pytest.mark.parametrize(("option", "winner"), winners())
def test_the_nearest_level_wins(pytester: pytest.Pytester, option: str, winner: str) -> None:
    values = VALUES[option]
    farther = LEVELS[LEVELS.index(winner) :] if winner in LEVELS else ()
    given = {level: {option: values[level]} for level in farther if level in values}
    observed = {
        "seed": "cpjob._harness.settings.seed",
        "region": "arn.split(':')[3]",
        "account_id": "arn.split(':')[4]",
    }[option]
    write(
        pytester,
        given,
        f"""
                data = cpjob.add_job(**CALL).details["jobDetails"]["data"]
                arn = data["pipelineContext"]["pipelineArn"]
                assert {observed} == {values[winner]!r}
                arn = cpjob_pipeline_context_factory(**CALL)["pipelineArn"]
                assert {observed} == {values[winner]!r}
        """.strip(),
    )
    run(pytester, given).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, False),
        ({"ini file": {"own_role": "true"}}, True),
        ({"ini file": {"own_role": "true"}, "outer marker": {"own_role": False}}, False),
        ({"outermost marker": {"own_role": False}, "outer marker": {"own_role": True}}, True),
        ({"outer marker": {"own_role": True}, "marker": {"own_role": None}}, True),
    ],
    ids=["built-in", "ini", "marker-over-ini", "nearer-marker", "none-is-not-given"],
)
def test_own_role_may_be_taken_back(
    pytester: pytest.Pytester, given: Mapping[str, Mapping[str, object]], expected: bool
) -> None:
    write(pytester, given, f"assert cpjob._harness.settings.own_role is {expected}")
    run(pytester, given).assert_outcomes(passed=1)


def test_allow_adds_up(pytester: pytest.Pytester) -> None:
    given: dict[str, dict[str, object]] = {
        "marker": {"allow": ["raised"]},
        "outer marker": {"allow": ["second-result", "raised"]},
        "outermost marker": {"allow": ["own-role"]},
        "ini file": {"allow": "unfaked-call\n    unused-fault leaked-secret"},
    }
    allowed = ["leaked-secret", "own-role", "raised", "second-result", "unfaked-call"]
    write(
        pytester,
        given,
        f"assert sorted(cpjob._harness.settings.allow) == {[*allowed, 'unused-fault']!r}",
    )
    run(pytester, given).assert_outcomes(passed=1)


def test_what_one_job_is_allowed_no_other_is(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_two(cpjob):
            cpjob.add_lambda_job(allow=["no-result"]).invoke(lambda event, context: None)
            cpjob.add_lambda_job().invoke(lambda event, context: None)
        """
    )

    result = run(pytester, {})

    result.assert_outcomes(failed=1)
    assert result.stdout.str().count("\nno-result: job ") == 1


def test_a_seed_is_one_wherever_and_however_it_is_written(pytester: pytest.Pytester) -> None:
    written: list[dict[str, dict[str, object]]] = [
        {"marker": {"seed": 7}},
        {"outermost marker": {"seed": "7"}},
        {"command line": {"seed": 7}},
        {"ini file": {"seed": 7}},
    ]
    printed = set()
    for given in written:
        write(pytester, given, "print('ID', cpjob.add_job().id)")
        result = run(pytester, given, "-s")
        result.assert_outcomes(passed=1)
        printed.update(re.findall(r"ID \S+", result.stdout.str()))
    write(pytester, {}, "print('ID', cpjob.add_job().id)")
    others = re.findall(r"ID \S+", run(pytester, {}, "-s").stdout.str())

    assert len(printed) == 1
    assert others
    assert printed.isdisjoint(others)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"marker": {"regoin": "x"}}, "unknown option 'regoin'; did you mean 'region'?"),
        ({"outer marker": {"alow": []}}, "unknown option 'alow'; did you mean 'allow'?"),
        ({"marker": {"zzz": 1}}, f"unknown option 'zzz'; expected one of {', '.join(OPTIONS)}"),
        (
            {"marker": {"allow": ["no_result"]}},
            "allow: unknown finding 'no_result'; did you mean 'no-result'?",
        ),
        ({"marker": {"allow": ["zzz"]}}, f"unknown finding 'zzz'; expected one of {CHECKS[0]}, *"),
        (
            {"marker": {"allow": "raised"}},
            "allow: expected a list of findings' names, got 'raised'",
        ),
        ({"marker": {"own_role": "no"}}, "own_role: expected True or False, got 'no'"),
        ({"marker": {"region": 7}}, "region: expected a string, got 7"),
        ({"marker": {"region": "mars-1"}}, "region: 'mars-1' is not an AWS region*"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:30].replace(" ", "-"),
)
def test_what_cannot_be_is_an_error_that_says_what_can(
    pytester: pytest.Pytester, given: Mapping[str, Mapping[str, object]], message: str
) -> None:
    write(pytester, given, "assert False, 'it ran'")

    result = run(pytester, given)

    result.assert_outcomes(errors=1)
    # No character class of fnmatch: a list in a message is a list.
    result.stdout.fnmatch_lines([f"@pytest.mark.cpjob: *{message.replace('[', '[[]')}"])
    assert "Traceback" not in result.stdout.str()
    assert "pytest_cpjob/" not in result.stdout.str()


INI_ERRORS = {
    "cpjob_region = mars-1": "cpjob_region: 'mars-1' is not an AWS region; write one such as",
    "cpjob_account_id = 12": "cpjob_account_id: *{12}; got '12'; write all 12 digits: an account",
    "cpjob_allow = no-resul": "cpjob_allow: unknown finding 'no-resul'; did you mean 'no-result'?",
    "cpjob_allow = 'raised": (
        'cpjob_allow: No closing quotation, got "\'raised"; write names of findings, separated by'
        " white space, with each quote closed"
    ),
    "cpjob_seed = random": (
        "cpjob_seed: 'random' is for the command line, which says how to replay it; write addopts"
        " = --cpjob-seed=random, or another seed"
    ),
    "cpjob_regoin = x": (
        "unknown option 'cpjob_regoin' in the ini file; did you mean 'cpjob_region'?"
    ),
    "cpjob_aws_enf = x": (
        "unknown option 'cpjob_aws_enf' in the ini file; did you mean 'cpjob_aws_env'?"
    ),
    "cpjob_role_policy = no.json": (
        "cpjob_role_policy *no.json: cannot be read: No such file or directory"
    ),
    "cpjob_own_role = maybe": "cpjob_own_role: invalid truth value 'maybe'; write true or false",
    "cpjob_aws_env = maybe": "cpjob_aws_env: invalid truth value 'maybe'; write true or false",
}


@pytest.mark.parametrize("arguments", [(), ("-W", "ignore"), ("-p", "no:warnings")], ids=" ".join)
@pytest.mark.parametrize(("line", "message"), INI_ERRORS.items(), ids=INI_ERRORS)
def test_bad_configuration_is_one_line_before_the_first_test(
    pytester: pytest.Pytester, line: str, message: str, arguments: tuple[str, ...]
) -> None:
    """No test needs our fixtures for it: who runs another part of the suite is told as well."""
    pytester.makepyfile("def test_it(): assert False, 'it ran'")
    pytester.makeini(f"[pytest]\n{line}")

    result = run(pytester, {}, *arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = [each for each in result.errlines if each]
    assert len(said) == 1
    assert fnmatch.fnmatchcase(said[0], f"ERROR: {message}*".replace("[", "[[]"))
    assert "During handling" not in result.stdout.str()
    assert "it ran" not in result.stdout.str()


def test_an_option_that_a_conftest_adds_is_its_own(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("def pytest_addoption(parser): parser.addini('cpjob_stage', 'ours')")
    pytester.makepyfile("def test_it(pytestconfig): assert pytestconfig.getini('cpjob_stage')")
    pytester.makeini("[pytest]\ncpjob_stage = beta")

    run(pytester, {}).assert_outcomes(passed=1)


def test_bad_configuration_is_told_once_with_workers_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass")
    pytester.makeini("[pytest]\ncpjob_region = mars-1")

    result = run(pytester, {}, "-p", "xdist", "-n", "1")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().count("cpjob_region: ") == 1


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        (
            "cpjob_faults(['x'])",
            "@pytest.mark.cpjob_faults: expected names of variations, got ['x']; write each as a"
            " string: cpjob_faults('truncated-zip')",
        ),
        (
            "cpjob_job_variants(5)",
            "@pytest.mark.cpjob_job_variants: expected names of variations, got 5; write each as a"
            " string: cpjob_job_variants('unicode-file-name')",
        ),
        (
            "cpjob_warm(without=[5])",
            "@pytest.mark.cpjob_warm: expected names of variations, got 5; write each as a string:"
            " cpjob_warm('warm')",
        ),
        (
            "cpjob_faults(names=['put-timed-out'])",
            "@pytest.mark.cpjob_faults: unknown option 'names'; expected one of without, action",
        ),
    ],
)
def test_a_sweep_that_cannot_be_is_an_error_of_collection(
    pytester: pytest.Pytester, marker: str, message: str
) -> None:
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.{marker}\ndef test_it(cpjob): assert False, 'it ran'"
    )

    result = run(pytester, {})

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"*test_it: {message.replace('[', '[[]')}"])
    assert "During handling" not in result.stdout.str()
    assert "it ran" not in result.stdout.str()


def test_an_unknown_option_of_a_stub_names_the_nearest() -> None:
    options: dict[str, Any] = {"regoin": "eu-west-1"}
    with pytest.raises(CpjobError, match=r"^unknown option 'regoin'; did you mean 'region'\?$"):
        CodePipelineStub(**options)


def test_unknown_options_of_others_are_none_of_ours(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass")
    pytester.makeini("[pytest]\nothers_regoin = x")

    run(pytester, {}, "-W", "default").assert_outcomes(passed=1, warnings=1)


def test_the_names_to_allow_may_come_from_any_iterable(cpjob: CodePipelineStub) -> None:
    cpjob.add_lambda_job(allow=iter(["no-result"])).invoke(lambda event, context: None)
    cpjob.check()

    allowed = CodePipelineStub(allow=iter(["no-result", "own-role"]))._harness.settings.allow
    assert allowed == {"no-result", "own-role"}


def test_factories_refuse_unknown_options_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.cpjob(regoin="x")
        def test_it(cpjob_event_factory):
            pass
        """
    )
    run(pytester, {}).stdout.fnmatch_lines(["*did you mean 'region'[?]"])


def test_the_marker_takes_keywords_only(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.cpjob("no-result")
        def test_it(cpjob):
            pass
        """
    )

    result = run(pytester, {})

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["@pytest.mark.cpjob: it takes keyword arguments only*"])


def test_a_job_and_a_stub_refuse_unknown_findings(cpjob: CodePipelineStub) -> None:
    with pytest.raises(ValueError, match="did you mean 'no-result'"):
        cpjob.add_lambda_job(allow=["noresult"])
    assert cpjob.jobs == []
    with pytest.raises(CpjobError, match="did you mean 'raised'"):
        CodePipelineStub(allow=["raise"])


def test_every_finding_is_one_that_may_be_allowed() -> None:
    assert resolve([{"allow": CHECKS}]).allow == frozenset(CHECKS)


# -- what pytest prints ----------------------------------------------------------------------------


def test_a_random_seed_is_another_each_time_and_replays(pytester: pytest.Pytester) -> None:
    write(pytester, {}, "print('ID', cpjob.add_job().id)")

    def ids(*arguments: str) -> list[str]:
        result = run(pytester, {}, "-s", *arguments)
        result.assert_outcomes(passed=1)
        replay = re.findall(
            r"^cpjob: replay these documents with (--cpjob-seed=\w+)$", result.stdout.str(), re.M
        )
        return replay + re.findall(r"ID (\S+)", result.stdout.str())

    seed, job = ids("--cpjob-seed=random")
    other_seed, other_job = ids("--cpjob-seed=random")

    assert ids(seed) == [job]
    assert (seed, job) != (other_seed, other_job)
    assert job != other_job


@pytest.mark.parametrize("arguments", [["-q"], ["--no-header"]], ids=" ".join)
def test_a_run_that_fails_says_at_its_end_how_to_replay_it(
    pytester: pytest.Pytester, arguments: list[str]
) -> None:
    write(pytester, {}, "assert cpjob.add_job().id == 'another'")

    shown = run(pytester, {}, "--cpjob-seed=random", *arguments).stdout.str()

    *_, (ending, seed) = re.findall(
        r"^(cpjob: replay these documents with (--cpjob-seed=\w+))$", shown, re.M
    )
    [drawn] = re.findall(r"^E +\+ (\S+)$", shown, re.M)
    assert shown.index(drawn) < shown.rindex(ending)
    again = run(pytester, {}, seed).stdout.str()
    assert re.findall(r"^E +\+ (\S+)$", again, re.M) == [drawn]
    assert "replay these" not in again


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"marker": {"region": "eu-west-1", "seed": 7}},
        {"ini file": {"region": "us-east-1", "own_role": "false", "seed": "cpjob", "allow": ""}},
    ],
    ids=["nothing", "markers", "built-in-values"],
)
def test_with_the_defaults_the_header_says_nothing_of_us(
    pytester: pytest.Pytester, given: Mapping[str, Mapping[str, object]]
) -> None:
    write(pytester, given, "pass")
    run(pytester, given).stdout.no_fnmatch_line("cpjob:*")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"command line": {"seed": 7}, "ini file": {"seed": 8}}, "--cpjob-seed=7"),
        (
            {
                "ini file": {
                    "seed": 8,
                    "region": "eu-west-1",
                    "allow": "raised own-role",
                    "own_role": "true",
                    "aws_env": "false",
                }
            },
            "cpjob_seed = 8, cpjob_region = eu-west-1, cpjob_allow = raised own-role,"
            " cpjob_own_role = True, cpjob_aws_env = False",
        ),
        (
            {"command line": {"seed": "random"}, "ini file": {"account_id": "000000000001"}},
            "replay these documents with --cpjob-seed=????????, cpjob_account_id = 000000000001",
        ),
    ],
    ids=["command-line", "ini", "random"],
)
def test_the_header_says_in_one_line_what_differs_from_the_defaults(
    pytester: pytest.Pytester, given: Mapping[str, Mapping[str, object]], line: str
) -> None:
    write(pytester, given, "pass")

    result = run(pytester, given)

    result.stdout.fnmatch_lines([f"cpjob: {line}"])
    assert result.stdout.str().count("\ncpjob: ") == 1


def test_fixtures_tells_of_each_in_a_sentence(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--fixtures", "-p", "no:faker").stdout.str()

    told = dict(re.findall(r"^(cpjob\w*) -- \S+fixtures\.py:\d+\n    (.+)$", printed, re.MULTILINE))
    assert set(re.findall(r"^(cpjob\w*)", printed, re.MULTILINE)) == set(told)
    assert told["cpjob"] == (
        "CodePipeline's job service, answering every boto3 client during this test."
    )
    assert told["cpjob_event_factory"].startswith("Make the events")
    assert [name for name, text in told.items() if not text.endswith(".")] == []
    assert [name for name, text in told.items() if "no docstring" in text] == []
    assert re.findall(r"^_cpjob", printed, re.MULTILINE) == []


def test_markers_tells_every_option(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--markers", "-p", "no:faker").stdout.str()

    [options] = re.findall(r"^@pytest\.mark\.cpjob\(\*, (.*?)\):", printed, re.MULTILINE)
    assert [each.partition("=")[0] for each in re.split(r", (?=\w)", options)] == list(OPTIONS)
    for sweep in (
        "cpjob_job_variants(*names, without=[], action=None)",
        "cpjob_faults(*names, without=[], action=None)",
        "cpjob_warm(*names, without=[])",
        "cpjob_action_orders(*actions)",
        "cpjob_stage_retries(action, *, calls=5)",
    ):
        assert f"@pytest.mark.{sweep}: run this test" in printed


def test_help_tells_the_option_and_every_setting(pytester: pytest.Pytester) -> None:
    printed = pytester.runpytest("--help", "-p", "no:faker").stdout.str()

    assert "--cpjob-seed=SEED" in printed
    settings = set(re.findall(r"^  (cpjob_\w+) \(", printed, re.MULTILINE))
    others = {"cpjob_aws_env", "cpjob_stop_calls_at_import"}
    assert settings == {f"cpjob_{name}" for name in OPTIONS} | others


def test_the_markers_are_known_to_strict_markers(pytester: pytest.Pytester) -> None:
    write(pytester, {"marker": {"seed": 1}}, "pass")
    run(pytester, {}, "--strict-markers", "-W", "error").assert_outcomes(passed=1)
