"""The settings of one test: the options, and which of several layers wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Final, TypeAlias

from pytest_cpjob.defaults import BUILT_IN_ACCOUNT, BUILT_IN_REGION, BUILT_IN_SEED, CHECKS, WARNINGS
from pytest_cpjob.errors import CpjobError

OPTIONS: Final = ("seed", "region", "account_id", "allow", "own_role", "role_policy")
"""The options that the marker and `CodePipelineStub` take."""


RolePolicy: TypeAlias = (
    "Mapping[str, object] | Sequence[Mapping[str, object]] | str | PathLike[str]"
)
"""What `role_policy` takes: a policy document, a list of them, or the path of a file with one."""


class OptionError(CpjobError, ValueError):
    """An option that does not exist, or an invalid value."""


class Settings:
    """The options of one test, every one with its value.

    Attributes:
        seed: the seed of all of the test's documents, together with the test's id.
        region: the pipeline's region.
        account_id: the pipeline's account.
        allow: names of findings that are not reported.
        own_role: whether the handler's own role may open the artifact bucket.
        role_policy: what that role may do: a policy document, a list of them, or a file's path;
            None if that is unknown.
        test_id: the test's node id, so that each test has its own documents.
    """

    __slots__ = ("account_id", "allow", "own_role", "region", "role_policy", "seed", "test_id")

    def __init__(
        self,
        *,
        seed: str = BUILT_IN_SEED,
        region: str = BUILT_IN_REGION,
        account_id: str = BUILT_IN_ACCOUNT,
        allow: frozenset[str] = frozenset(),
        own_role: bool = False,
        role_policy: RolePolicy | None = None,
        test_id: str = "",
    ) -> None:
        self.seed = seed
        self.region = region
        self.account_id = account_id
        self.allow = allow
        self.own_role = own_role
        self.role_policy = role_policy
        self.test_id = test_id

    def of_test(self, test_id: str) -> Settings:
        """Return the same options for another test."""
        return Settings(
            seed=self.seed,
            region=self.region,
            account_id=self.account_id,
            allow=self.allow,
            own_role=self.own_role,
            role_policy=self.role_policy,
            test_id=test_id,
        )


def resolve(layers: Iterable[Mapping[str, Any]], *, test_id: str = "") -> Settings:
    """Return each option's value from layers of options, the nearest first; `allow` is merged.

    A value of None means that the option is not given.

    Raises:
        OptionError: an option or a finding does not exist, or a value is invalid; the message
            names the nearest valid name.
    """
    chosen: dict[str, Any] = {}
    allow: set[str] = set()
    for layer in layers:
        for name, value in layer.items():
            if name not in OPTIONS:
                raise OptionError(f"unknown option {name!r}{nearest(name, OPTIONS)}")
            if name == "allow" and value is not None:
                allow |= check_names(value)
            elif value is not None:
                chosen.setdefault(name, _checked(name, value))
    return Settings(**chosen, allow=frozenset(allow), test_id=test_id)


def check_names(names: object) -> frozenset[str]:
    """Read the value of an `allow` option.

    Raises:
        OptionError: it is not a list of names, or a finding does not exist.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise OptionError(f"allow: expected a list of findings' names, got {names!r}")
    listed = list(names)
    for name in listed:
        if name not in (*CHECKS, *WARNINGS):
            known = nearest(str(name), (*CHECKS, *WARNINGS))
            raise OptionError(f"allow: unknown finding {name!r}{known}")
    return frozenset(listed)


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the end of a sentence that suggests the nearest word, or lists all valid ones.

    It is empty where there are none.
    """
    import difflib

    known = list(words)
    near = difflib.get_close_matches(word, known, 1, 0.4)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; expected one of {', '.join(known)}" if known else ""


def _checked(name: str, value: Any) -> Any:
    if name == "own_role":
        if not isinstance(value, bool):
            raise OptionError(f"own_role: expected True or False, got {value!r}")
        return value
    if name == "seed":
        return str(value)
    if name == "role_policy":
        if not isinstance(value, (str, PathLike, Mapping, Sequence)):
            raise OptionError(
                "role_policy: expected a policy document, a list of them or a file's path, got"
                f" {value!r:.60}"
            )
        return value
    if not isinstance(value, str):
        raise OptionError(f"{name}: expected a string, got {value!r}")
    return str.__str__(value)  # the member of a string enum would print as its name
