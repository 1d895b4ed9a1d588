"""Hypothesis strategies for single values: all that the model allows, up to maximum length."""

from __future__ import annotations

import functools
import json
import re
import string
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Literal, TypeVar

from pytest_cpjob.aws.codepipeline_model import load
from pytest_cpjob.defaults import BUILT_IN_REGION
from pytest_cpjob.documents.facts import ActionType
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.documents.values import Draws
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.requirements import require

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import DrawFn, SearchStrategy
except ModuleNotFoundError as error:
    raise CpjobError(
        "pytest_cpjob.strategies needs Hypothesis, which is not installed\n"
        "- way out: pip install 'pytest-cpjob[hypothesis]'"
    ) from error
require("hypothesis")

_T = TypeVar("_T")

_CATEGORIES: Final = ("Build", "Test", "Deploy", "Invoke")
"""The categories of custom actions (user guide); the model has others that they do not use."""
_MOST_PROPERTIES: Final = 10
_LOWER: Final = string.ascii_lowercase + string.digits
_WORDS: Final = _LOWER + string.ascii_uppercase + "-_"
# Letters first: Hypothesis shrinks text towards the beginning of its alphabet.
_PRINTABLE: Final = _LOWER + string.ascii_uppercase + string.punctuation

_FILLER: Final = "state"
"""The member that makes an object as long as it is to be."""

ANY_CHARACTER: Final = st.characters(exclude_categories=["Cs"])
"""Every character that can be encoded as UTF-8."""


def any_text(
    alphabet: str | SearchStrategy[str], least: int, most: int | None
) -> SearchStrategy[str]:
    """Generate texts of every length: short ones, the longest, and as many in between."""
    if most is None:
        return st.text(alphabet, min_size=least)
    return made_of(_of_length, any_length(least, most), _letters(alphabet))


_SHORT: Final = 30


@cache
def any_length(least: int, most: int) -> SearchStrategy[int]:
    """Generate lengths: a quarter short, half anywhere, a quarter the greatest.

    One number stands for each, greater for greater: a failing length shrinks to the least that
    fails. Hypothesis by itself would hardly ever draw the longest of 50,000 characters.
    """
    short = min(_SHORT, most - least) + 1
    between = most - least + 1 - short
    part = max(short, between // 2)

    def length(number: int) -> int:
        if number < part:
            return least + number * short // part
        return min(most, least + short + number - part)

    return st.integers(0, part + between + part - 1).map(length)


@cache
def _letters(alphabet: str | SearchStrategy[str]) -> SearchStrategy[str]:
    return st.text(alphabet, min_size=1, max_size=_SHORT)


def _of_length(length: int, letters: str) -> str:
    return (letters * (length // len(letters) + 1))[:length]


@cache
def any_of_shape(shape_name: str) -> SearchStrategy[str]:
    """Generate strings that the model allows; the pattern, if any, must be a character set."""
    shape = load().shapes[shape_name]
    pattern = shape.get("pattern")
    alphabet: str | SearchStrategy[str] = ANY_CHARACTER
    if pattern is not None:
        alphabet = "".join(one for one in _PRINTABLE if re.fullmatch(pattern, one, re.ASCII))
    return any_text(alphabet, shape.get("min", 1), shape.get("max"))


@cache
def any_stream() -> SearchStrategy[Stream]:
    """Generate streams, from which to draw what no one chooses: ids, keys, credentials."""
    return st.integers(0, 2**64 - 1).map(lambda seed: Stream("hypothesis", seed))


# `composite` and not `.map`, so that a failing example is printed as its value.
@st.composite
def made_of(draw: DrawFn, make: Callable[..., _T], *strategies: SearchStrategy[Any]) -> _T:
    """Generate what `make` returns when called with one value of each strategy."""
    return make(*[draw(strategy) for strategy in strategies])


def drawn_by(draw: Callable[[Draws], _T]) -> SearchStrategy[_T]:
    """Generate what `draw` draws from a stream."""
    return made_of(lambda stream: draw(stream.values), any_stream())


@cache
def any_region() -> SearchStrategy[str]:
    """Generate regions that have CodePipeline: the default, other partitions, the longest name."""
    return st.sampled_from(
        (BUILT_IN_REGION, "eu-west-3", "us-gov-west-1", "cn-north-1", "ap-southeast-2")
    )


@cache
def any_account() -> SearchStrategy[str]:
    """Generate account ids, some of which begin with 0."""
    return st.text(string.digits, min_size=12, max_size=12)


@cache
def any_action_type(owner: str) -> SearchStrategy[ActionType]:
    """Generate the action types whose jobs workers get."""
    return st.builds(
        ActionType,
        st.sampled_from(_CATEGORIES),
        st.just(owner),
        any_of_shape("ActionProvider"),
        any_of_shape("Version"),
    )


@cache
def any_configuration() -> SearchStrategy[dict[str, str]]:
    """Generate the configuration of a custom action; an action type has at most 10 properties."""
    names = any_of_shape("ActionConfigurationKey")
    return st.dictionaries(
        names, any_of_shape("ActionConfigurationValue"), max_size=_MOST_PROPERTIES
    )


@cache
def any_function_name() -> SearchStrategy[str]:
    """Generate the names of Lambda functions."""
    return any_text(_WORDS, 1, 64)


@cache
def any_user_parameters() -> SearchStrategy[str]:
    """Generate UserParameters: any text, and JSON."""
    letters = st.text(ANY_CHARACTER, max_size=20)
    scalars = st.none() | st.booleans() | st.integers() | letters
    values = st.dictionaries(letters, scalars | st.lists(scalars, max_size=3), max_size=3)
    return _text_or_json("ActionConfigurationValue", values)


@cache
def any_continuation_token() -> SearchStrategy[str]:
    """Generate continuation tokens: any text, and JSON as in AWS's example."""
    examples = drawn_by(lambda values: {"previous_job_id": values.job_id()})
    return _text_or_json("ContinuationToken", examples)


@st.composite
def _text_or_json(draw: DrawFn, shape_name: str, values: SearchStrategy[dict[str, Any]]) -> str:
    """Draw a text of a shape, or an object in JSON that is as long: either shrinks in its length.

    An object that would be longer is a text instead.
    """
    shape = load().shapes[shape_name]
    length = draw(any_length(shape["min"], shape["max"]))
    is_json = draw(st.booleans())
    text = _of_length(length, draw(_letters(ANY_CHARACTER)))
    if not is_json:
        return text
    write = functools.partial(json.dumps, ensure_ascii=draw(st.booleans()))
    value = draw(values)
    missing = length - len(write({**value, _FILLER: ""}))
    if missing >= 0:
        return write({**value, _FILLER: "x" * missing})
    written = write(value)
    # White space after JSON is JSON.
    return written.ljust(length) if len(written) <= length else text


@cache
def any_nonce() -> SearchStrategy[str]:
    """Generate nonces: a digit, as in AWS's samples, or the longest number."""
    most = load().shapes["Nonce"]["max"]
    return (st.integers(1, 9) | st.integers(10 ** (most - 1), 10**most - 1)).map(str)


@cache
def any_input_name() -> SearchStrategy[str]:
    """Generate names of input artifacts, common ones first."""
    usual = ("SourceArtifact", "Artifact_Source_Repo", "AppConfig")
    return st.sampled_from(usual) | any_of_shape("ArtifactName")


@cache
def any_output_name() -> SearchStrategy[str]:
    """Generate names of output artifacts, common ones first."""
    usual = ("BuildArtifact", "Site", "Test-Report")
    return st.sampled_from(usual) | any_of_shape("ArtifactName")


@cache
def any_extension() -> SearchStrategy[str]:
    """Generate the ending of an object's key: most have no extension."""
    return st.sampled_from(("", ".zip", ".json", ".war"))


@cache
def any_revision() -> SearchStrategy[str]:
    """Generate revisions: of a commit, of an S3 object, or as a custom source reports them."""
    commits, versions = drawn_by(Draws.commit_id), drawn_by(Draws.s3_version_id)
    return commits | versions | any_of_shape("Revision")


@cache
def any_bucket() -> SearchStrategy[str]:
    """Generate bucket names of 3 to 63 characters."""
    ends = st.sampled_from(_LOWER)
    names = st.tuples(ends, any_text(_LOWER + "-.", 1, 61), ends).map("".join)
    # S3 allows neither two dots in a row nor an IP address.
    return names.filter(lambda name: ".." not in name and not name.replace(".", "").isdigit())


@cache
def any_encryption_key() -> SearchStrategy[Literal[True] | str]:
    """Generate a key's ARN (also of another account), a key's id, or the ARN of an alias.

    The parts in braces are filled in from the job.
    """
    keys = "arn:{partition}:kms:{region}:"
    return st.one_of(
        st.just(True),
        drawn_by(lambda values: f"{keys}{values.account_id()}:key/{values.kms_key_id()}"),
        drawn_by(Draws.kms_key_id),
        drawn_by(lambda values: f"mrk-{values.commit_id()[:32]}"),
        any_text(_WORDS + "/", 1, 250).map(lambda name: f"{keys}{{account_id}}:alias/{name}"),
    )
