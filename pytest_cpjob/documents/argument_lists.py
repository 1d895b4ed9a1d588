"""The arguments that factories and `add_*` share, each list written once.

A function that takes a list says `**arguments: Unpack[...]`, for type checkers and editors, and is
decorated with `takes`, which shows the names to `inspect.signature` and rejects any other.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_cpjob.settings import nearest

if TYPE_CHECKING:
    from typing import TypedDict as ArgumentList

    from pytest_cpjob.documents.job_arguments import (
        ActionTypeArgument,
        ArtifactsArgument,
        EncryptionKeyArgument,
        UserParameters,
    )
else:

    class ArgumentList:
        """A TypedDict for type checkers; when it runs, only its names are asked for.

        A real one compiles each of its annotations, at the first test of each run.
        """

        def __init_subclass__(cls, *, total: bool = True) -> None:
            """Take what a TypedDict takes."""


__all__ = [
    "ArgumentList",
    "DocumentArguments",
    "LambdaDocumentArguments",
    "SharedArguments",
    "ThirdPartyDocumentArguments",
    "names_of",
    "takes",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class SharedArguments(ArgumentList, total=False):
    """What every document and every job can be given; `None` means the value is drawn."""

    job_id: str | None
    account_id: str | None
    region: str | None
    pipeline_name: str | None
    stage_name: str | None
    action_name: str | None
    action_type: ActionTypeArgument | None
    configuration: Mapping[str, str] | None
    output_artifacts: ArtifactsArgument | None
    artifact_bucket: str | None
    encryption_key: EncryptionKeyArgument | None
    continuation_token: str | None


class DocumentArguments(SharedArguments, total=False):
    """What the factories of whole documents take."""

    input_artifacts: ArtifactsArgument | None


class LambdaDocumentArguments(DocumentArguments, total=False):
    """What the factories take whose document may belong to a Lambda action."""

    user_parameters: UserParameters | None
    function_name: str | None


class ThirdPartyDocumentArguments(DocumentArguments, total=False):
    """What the factory of partner jobs' documents takes."""

    client_id: str | None
    client_token: str | None


@functools.cache
def names_of(arguments: type) -> tuple[str, ...]:
    """Return the names of an argument list, inherited ones first."""
    oldest_first = reversed(arguments.__mro__)
    return tuple(name for each in oldest_first for name in getattr(each, "__annotations__", ()))


@functools.cache
def _omittable(name: str) -> inspect.Parameter:
    """Return the parameter of this name, as `inspect.signature` shows it."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)


def takes(arguments: type) -> Callable[[_Function], _Function]:
    """Decorate a function to accept only a list's names as `**arguments`, else `TypeError`.

    Python's own error would not suggest the nearest argument, and would name an internal class
    instead of the fixture.
    """

    def decorate(function: _Function) -> _Function:
        shown = function.__name__ if function.__name__ != "__call__" else "the factory"
        own = inspect.signature(function)
        kept = [one for one in own.parameters.values() if one.kind is not one.VAR_KEYWORD]
        known = (*(one.name for one in kept), *names_of(arguments))

        @functools.wraps(function)
        def checked(*args: Any, **given: Any) -> Any:
            __tracebackhide__ = True
            for name in given:
                if name not in known:
                    raise TypeError(
                        f"{shown}() got an unknown argument {name!r}{nearest(name, known)}"
                    )
            return function(*args, **given)

        listed = map(_omittable, names_of(arguments))
        vars(checked)["__signature__"] = own.replace(parameters=[*kept, *listed])
        return checked  # type: ignore[return-value]  # same parameters as the function

    return decorate
