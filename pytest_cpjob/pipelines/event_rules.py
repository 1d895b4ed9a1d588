"""EventBridge's rules in templates: which function is started when an action starts.

Source: EventBridge user guide, "Creating Amazon EventBridge event patterns"; SAM's specification,
`EventBridgeRule` and `CloudWatchEvent`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from pytest_cpjob.pipelines.templates import Template

_RULE: Final = "AWS::Events::Rule"
_FUNCTION: Final = "AWS::Lambda::Function"
_OF_SAM: Final = ("CloudWatchEvent", "EventBridgeRule")


class EventRule(NamedTuple):
    """One rule.

    Attributes:
        pattern: which events it is for.
        function: the name of the function that it starts.
    """

    pattern: Mapping[str, Any]
    function: str


def rules_of(templates: Iterable[Template]) -> Iterator[EventRule]:
    """Return the rules that start functions, as far as their patterns are known."""
    for template in templates:
        for logical_id in template.of_type(_RULE):
            pattern = _pattern(template.property(logical_id, "EventPattern"))
            targets = template.property(logical_id, "Targets")
            for target in targets if isinstance(targets, list) else ():
                arn = target.get("Arn") if isinstance(target, Mapping) else None
                if isinstance(arn, str) and ":function:" in arn and pattern is not None:
                    name = arn.rpartition(":function:")[2].partition(":")[0]
                    yield EventRule(pattern, name)
        for logical_id in template.of_type(_FUNCTION):
            events = template.property(logical_id, "Events")
            name = template.name_of(logical_id)
            for event in events.values() if isinstance(events, Mapping) else ():
                pattern = _pattern_of_sam(event)
                if pattern is not None and isinstance(name, str):
                    yield EventRule(pattern, name)


def _pattern_of_sam(event: object) -> Mapping[str, Any] | None:
    if not isinstance(event, Mapping) or event.get("Type") not in _OF_SAM:
        return None
    properties = event.get("Properties")
    return _pattern(properties.get("Pattern")) if isinstance(properties, Mapping) else None


def _pattern(value: object) -> Mapping[str, Any] | None:
    """Return an event pattern, which may be written as JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, Mapping) else None


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Tell whether an event is one of a pattern's; of what is not known of it, any will do."""
    return all(_fits(wanted, event.get(name)) for name, wanted in pattern.items())


def _fits(wanted: object, value: object) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and matches(wanted, value)
    if not isinstance(wanted, list):
        return False
    values = value if isinstance(value, list) else [value]
    return any(_is(each, one) for each in wanted for one in values)


def _is(wanted: object, value: object) -> bool:
    if isinstance(wanted, Mapping):
        text = str(value)
        return any(
            (kind == "prefix" and text.startswith(str(given)))
            or (kind == "suffix" and text.endswith(str(given)))
            or (kind == "exists" and (value is not None) == given)
            or (kind == "anything-but" and value not in _listed(given))
            for kind, given in wanted.items()
        )
    # A value that the template leaves open may be this one.
    return wanted == value or not isinstance(wanted, (str, int, float, bool, type(None)))


def _listed(given: object) -> list[object]:
    return given if isinstance(given, list) else [given]
