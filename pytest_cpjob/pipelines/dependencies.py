"""Resources of a template that depend on each other in a circle, which CloudFormation refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

_PLACEHOLDER: Final = re.compile(r"\$\{([^}!.]+)(?:\.[^}]*)?\}")


def circle_from(
    start: str, resources: Mapping[str, Mapping[str, Any]], is_made: Callable[[str], bool]
) -> list[str]:
    """Return the resources of a circle that a resource leads to, empty if there is none.

    What stands in an `Fn::If` is not counted: the branch that is not taken makes no dependency.
    """
    path: list[str] = []
    finished: set[str] = set()

    def search(logical_id: str) -> list[str]:
        if logical_id in path:
            return path[path.index(logical_id) :]
        if logical_id in finished:
            return []
        path.append(logical_id)
        for other in _dependencies(resources[logical_id]):
            if other in resources and is_made(other):
                found = search(other)
                if found:
                    return found
        finished.add(path.pop())
        return []

    return search(start)


def _dependencies(resource: Mapping[str, Any]) -> Iterator[str]:
    depends_on = resource.get("DependsOn") or ()
    yield from [depends_on] if isinstance(depends_on, str) else map(str, depends_on)
    yield from _references(resource.get("Properties"))


def _references(node: Any) -> Iterator[str]:
    """Return the names that a value refers to; those of a `Fn::Sub`'s own variables are not."""
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, Mapping):
        for key, item in node.items():
            if key == "Fn::If":
                continue
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::GetAtt":
                yield str(item[0]) if isinstance(item, list) and item else str(item).split(".")[0]
            elif key == "Fn::Sub":
                yield from _placeholders(item)
            else:
                yield from _references(item)


def _placeholders(argument: Any) -> Iterator[str]:
    text, own = (argument, {}) if isinstance(argument, str) else (None, {})
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], Mapping):
        text, own = argument
        yield from _references(own)
    if isinstance(text, str):
        yield from (name for name in _PLACEHOLDER.findall(text) if name not in own)
