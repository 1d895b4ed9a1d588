"""Hypothesis strategies of single values: what the model allows, the longest values too."""

from __future__ import annotations

import functools
import json
import re
import string
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Literal, TypeVar

from pytest_cpjob.aws.codepipeline_model import load
from pytest_cpjob.documents.facts import ActionType
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.documents.values import Draws
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.requirements import require
from pytest_cpjob.settings import BUILT_IN_REGION

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
"""What custom actions can be for (the user guide); the model's others are not in use for them."""
_MOST_PROPERTIES: Final = 10
_LOWER: Final = string.ascii_lowercase + string.digits
_WORDS: Final = _LOWER + string.ascii_uppercase + "-_"
# Letters first: text shrinks towards the first of its alphabet.
_PRINTABLE: Final = _LOWER + string.ascii_uppercase + string.punctuation

_FILLER: Final = "state"
"""The member that makes an object as long as it is to be."""

ANY_CHARACTER: Final = st.characters(exclude_categories=["Cs"])
"""Every character that UTF-8 can carry."""


def any_text(
    alphabet: str | SearchStrategy[str], least: int, most: int | None
) -> SearchStrategy[str]:
    """Return texts of every length: short ones, the longest, and as many in between."""
    if most is None:
        return st.text(alphabet, min_size=least)
    return made_of(_of_length, any_length(least, most), _letters(alphabet))


_SHORT: Final = 30


@cache
def any_length(least: int, most: int) -> SearchStrategy[int]:
    """Return lengths: a quarter short, half anywhere, a quarter the greatest.

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
    """Give what the model allows for a string whose pattern, if any, is a set of characters."""
    shape = load().shapes[shape_name]
    pattern = shape.get("pattern")
    alphabet: str | SearchStrategy[str] = ANY_CHARACTER
    if pattern is not None:
        alphabet = "".join(one for one in _PRINTABLE if re.fullmatch(pattern, one, re.ASCII))
    return any_text(alphabet, shape.get("min", 1), shape.get("max"))


@cache
def any_stream() -> SearchStrategy[Stream]:
    """Give streams to draw from what nobody chooses: ids, keys, credentials."""
    return st.integers(0, 2**64 - 1).map(lambda seed: Stream("hypothesis", seed))


# Composite, unlike `.map`: a failing example then prints as the value that it is.
@st.composite
def made_of(draw: DrawFn, make: Callable[..., _T], *strategies: SearchStrategy[Any]) -> _T:
    """Give what `make` returns for one value of each strategy."""
    return make(*[draw(strategy) for strategy in strategies])


def drawn_by(draw: Callable[[Draws], _T]) -> SearchStrategy[_T]:
    """Give what `draw` draws from a stream."""
    return made_of(lambda stream: draw(stream.values), any_stream())


@cache
def any_region() -> SearchStrategy[str]:
    """Give regions with CodePipeline: the built-in one, other partitions, the longest name."""
    return st.sampled_from(
        (BUILT_IN_REGION, "eu-west-3", "us-gov-west-1", "cn-north-1", "ap-southeast-2")
    )


@cache
def any_account() -> SearchStrategy[str]:
    """Give account ids; some begin with 0."""
    return st.text(string.digits, min_size=12, max_size=12)


@cache
def any_action_type(owner: str) -> SearchStrategy[ActionType]:
    """Give the types of actions of whose jobs workers hear."""
    return st.builds(
        ActionType,
        st.sampled_from(_CATEGORIES),
        st.just(owner),
        any_of_shape("ActionProvider"),
        any_of_shape("Version"),
    )


@cache
def any_configuration() -> SearchStrategy[dict[str, str]]:
    """Give the configuration of a custom action, whose type has 10 properties at most."""
    names = any_of_shape("ActionConfigurationKey")
    return st.dictionaries(
        names, any_of_shape("ActionConfigurationValue"), max_size=_MOST_PROPERTIES
    )


@cache
def any_function_name() -> SearchStrategy[str]:
    """Give the names of Lambda functions."""
    return any_text(_WORDS, 1, 64)


@cache
def any_user_parameters() -> SearchStrategy[str]:
    """Return UserParameters: any text, and JSON."""
    letters = st.text(ANY_CHARACTER, max_size=20)
    scalars = st.none() | st.booleans() | st.integers() | letters
    values = st.dictionaries(letters, scalars | st.lists(scalars, max_size=3), max_size=3)
    return _text_or_json("ActionConfigurationValue", values)


@cache
def any_continuation_token() -> SearchStrategy[str]:
    """Return continuation tokens: any text, and JSON as in AWS's example."""
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
    """Give nonces: a digit, as in AWS's samples, or the longest number."""
    most = load().shapes["Nonce"]["max"]
    return (st.integers(1, 9) | st.integers(10 ** (most - 1), 10**most - 1)).map(str)


@cache
def any_input_name() -> SearchStrategy[str]:
    """Give the names of input artifacts: usual ones first."""
    usual = ("SourceArtifact", "Artifact_Source_Repo", "AppConfig")
    return st.sampled_from(usual) | any_of_shape("ArtifactName")


@cache
def any_output_name() -> SearchStrategy[str]:
    """Give the names of output artifacts: usual ones first."""
    usual = ("BuildArtifact", "Site", "Test-Report")
    return st.sampled_from(usual) | any_of_shape("ArtifactName")


@cache
def any_extension() -> SearchStrategy[str]:
    """Give what the key of an object ends with: most have no extension."""
    return st.sampled_from(("", ".zip", ".json", ".war"))


@cache
def any_revision() -> SearchStrategy[str]:
    """Give revisions: a commit's, an S3 object's, or what a custom source reported."""
    commits, versions = drawn_by(Draws.commit_id), drawn_by(Draws.s3_version_id)
    return commits | versions | any_of_shape("Revision")


@cache
def any_bucket() -> SearchStrategy[str]:
    """Give the names of buckets that people chose, of 3 to 63 characters."""
    ends = st.sampled_from(_LOWER)
    names = st.tuples(ends, any_text(_LOWER + "-.", 1, 61), ends).map("".join)
    # Neither two dots in a row nor an IP address.
    return names.filter(lambda name: ".." not in name and not name.replace(".", "").isdigit())


@cache
def any_encryption_key() -> SearchStrategy[Literal[True] | str]:
    """Give a key's ARN, also another account's, its id, or the ARN of an alias.

    What is in braces is the job's.
    """
    keys = "arn:{partition}:kms:{region}:"
    return st.one_of(
        st.just(True),
        drawn_by(lambda values: f"{keys}{values.account_id()}:key/{values.kms_key_id()}"),
        drawn_by(Draws.kms_key_id),
        drawn_by(lambda values: f"mrk-{values.commit_id()[:32]}"),
        any_text(_WORDS + "/", 1, 250).map(lambda name: f"{keys}{{account_id}}:alias/{name}"),
    )
