"""Action types: their definitions, and how jobs of them may be configured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from pytest_cpjob.documents.facts import ActionType, JobFacts
from pytest_cpjob.documents.refusals import check, refuse
from pytest_cpjob.service import limits
from pytest_cpjob.service.errors import ServiceError, invalid

_PROPERTY_MEMBERS: Final = frozenset(
    {"required", "key", "secret", "queryable", "description", "type"}
)
_QUERYABLE_VALUE: Final = r"[a-zA-Z0-9_-]{1,50}"


class RegisteredActionType:
    """One action type.

    Attributes:
        properties: the configuration properties by name, as CreateCustomActionType takes them.
        declared: False if the type exists only because a job of it was added; then any
            configuration key is allowed, and polls may query each key that a job has had.
        seen: for a type that is not declared, the configuration keys of the jobs so far.
        request: the registered definition, as only the same one may restore a deleted type.
    """

    def __init__(
        self,
        action_type: ActionType,
        properties: dict[str, dict[str, Any]],
        inputs: tuple[int, int] = (0, 5),
        outputs: tuple[int, int] = (0, 5),
        settings: dict[str, Any] | None = None,
        *,
        declared: bool = True,
        request: Mapping[str, Any] | None = None,
    ) -> None:
        self.action_type = action_type
        self.properties = properties
        self.inputs = inputs
        self.outputs = outputs
        self.settings = settings
        self.declared = declared
        self.seen: set[str] = set()
        self.deleted = False
        self.request = request

    @property
    def queryable(self) -> str | None:
        """The name of the property that polls select by."""
        for name, definition in self.properties.items():
            if definition.get("queryable"):
                return name
        return None

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the secret properties."""
        return frozenset(name for name, p in self.properties.items() if p.get("secret"))

    @property
    def definition(self) -> dict[str, Any]:
        """What was registered, without its tags: they are no part of the type."""
        return {name: value for name, value in (self.request or {}).items() if name != "tags"}

    def listed(self) -> dict[str, Any]:
        """Return the type as ListActionTypes shows it: no property's `type`, always `settings`.

        Seen by terraform-provider-aws: "The AWS API does not return Type", "Service can return
        empty ({}) Settings".
        """
        shown = {"settings": {}, **self.description()}
        for each in shown["actionConfigurationProperties"]:
            each.pop("type", None)
        return shown

    def description(self) -> dict[str, Any]:
        """Return the type as CreateCustomActionType answers with it (shape `ActionType`)."""
        shown: dict[str, Any] = {
            "id": dict(self.action_type.as_dict()),
            "actionConfigurationProperties": [dict(p) for p in self.properties.values()],
            "inputArtifactDetails": _counts(self.inputs),
            "outputArtifactDetails": _counts(self.outputs),
        }
        if self.settings is not None:
            shown["settings"] = dict(self.settings)
        return shown

    def check_job(self, facts: JobFacts) -> None:
        """Reject a job that a pipeline could not have created for this type.

        Raises:
            ValueError: a required property is missing, a key is unknown, a queryable value is
                too long, or there are too few or too many artifacts.
        """
        for argument, artifacts, (least, most) in (
            ("input_artifacts", facts.inputs, self.inputs),
            ("output_artifacts", facts.outputs, self.outputs),
        ):
            if not least <= len(artifacts) <= most:
                raise ValueError(
                    f"{argument}: {self.action_type} takes {least} to {most}, got {len(artifacts)}"
                )
        if not self.declared:
            return
        for name, definition in self.properties.items():
            if definition["required"] and name not in facts.configuration:
                raise ValueError(
                    f"configuration: {self.action_type} requires {name!r}, got"
                    f" {sorted(facts.configuration)}"
                )
        for name in facts.configuration:
            if name not in self.properties:
                raise ValueError(
                    f"configuration[{name!r}]: {self.action_type} has no such property, only"
                    f" {sorted(self.properties)}"
                )
        queryable = self.queryable
        if queryable is not None and queryable in facts.configuration:
            value = facts.configuration[queryable]
            if not re.fullmatch(_QUERYABLE_VALUE, value):
                raise ValueError(
                    f"configuration[{queryable!r}]: a queryable property's value has at most 50"
                    f" letters, digits, '_' or '-', got {value[:60]!r}"
                )


def _counts(bounds: tuple[int, int]) -> dict[str, int]:
    return {"minimumCount": bounds[0], "maximumCount": bounds[1]}


def not_available(action_type: ActionType) -> ServiceError:
    """Return an ActionTypeNotFoundException in AWS's words."""
    category, owner, provider, version = action_type
    return ServiceError(
        "ActionTypeNotFoundException",
        f"ActionType (Category: '{category}', Owner: '{owner}', Provider: '{provider}',"
        f" Version: '{version}') is not available",
    )


class ActionTypes:
    """The action types of one account and region.

    Attributes:
        version: how many definitions there have been, so that what follows from them can be kept.
    """

    def __init__(self) -> None:
        self._types: dict[ActionType, RegisteredActionType] = {}
        self.version = 0

    def find(self, action_type: tuple[str, str, str, str]) -> RegisteredActionType:
        """Return a type that exists and is not deleted.

        Args:
            action_type: an `ActionType`, or its members in the same order.

        Raises:
            ServiceError: ActionTypeNotFoundException.
        """
        known = self._types.get(action_type)  # type: ignore[call-overload]  # it is equal to one
        if known is None or known.deleted:
            raise not_available(ActionType(*action_type))
        found: RegisteredActionType = known
        return found

    def secrets(self, action_type: ActionType) -> frozenset[str]:
        """Return the names of the type's secret properties; none for an unknown type."""
        known = self._types.get(action_type)
        return known.secrets if known else frozenset()

    def entity_url_template(self, action_type: ActionType) -> str | None:
        """Return the address of the page that the type's actions are about, if it names one."""
        known = self._types.get(action_type)
        settings = (known.settings if known else None) or {}
        found: str | None = settings.get("entityUrlTemplate")
        return found

    def for_job(self, action_type: ActionType) -> RegisteredActionType:
        """Return a new job's type; one that was never registered accepts any configuration.

        Raises:
            ValueError: the type was deleted.
        """
        known = self._types.get(action_type)
        if known is None:
            return RegisteredActionType(action_type, {}, declared=False)
        if known.deleted:
            raise ValueError(
                f"action_type: {action_type} was deleted; AWS requires a version that has never"
                " been used before"
            )
        return known

    def register_silently(self, facts: JobFacts) -> None:
        """Register the type of an added job if it is unknown, and its configuration keys."""
        known = self._types.setdefault(facts.action_type, self.for_job(facts.action_type))
        if not known.declared:
            known.seen.update(facts.configuration)

    def register(self, new: RegisteredActionType) -> RegisteredActionType:
        """Add a type by CreateCustomActionType's rules.

        Raises:
            ServiceError: ValidationException, LimitExceededException, or
                ActionTypeAlreadyExistsException: it exists with another definition.
        """
        check_properties(new.properties.values())
        for member, (least, most) in (
            ("inputArtifactDetails", new.inputs),
            ("outputArtifactDetails", new.outputs),
        ):
            if least > most:
                raise invalid(f"{member}: minimumCount {least} is above maximumCount {most}")
        known = self._types.get(new.action_type)
        if known is not None and known.declared:
            is_the_same = known.definition == new.definition
            if not known.deleted and is_the_same:
                return known
            if not known.deleted:
                raise ServiceError(
                    "ActionTypeAlreadyExistsException",
                    f"The specified action type already exists with a different definition:"
                    f" {new.action_type}",
                )
            if not is_the_same:
                raise invalid(
                    f"ActionType {new.action_type} was deleted; only the identical definition"
                    " restores it, anything else needs a version that has never been used before"
                )
        owned = [t for t in self.all("Custom") if t.declared]
        if new.action_type.owner == "Custom" and len(owned) >= limits.CUSTOM_ACTION_TYPES:
            raise ServiceError(
                "LimitExceededException",
                f"An account has at most {limits.CUSTOM_ACTION_TYPES} custom action types in a"
                " region",
            )
        self._types[new.action_type] = new
        self.version += 1
        return new

    def add(
        self,
        action_type: ActionType,
        properties: Mapping[str, Mapping[str, Any]],
        inputs: tuple[int, int],
        outputs: tuple[int, int],
    ) -> None:
        """Register a type in the short form of `add_action_type`; flags default to False.

        Raises:
            ValueError: AWS would not register it; the message names the field and the rule.
        """
        if action_type.owner == "AWS":
            raise ValueError(
                f"action_type: AWS's own types already exist, got {str(action_type)!r}; the owner"
                " must be Custom or ThirdParty"
            )
        definitions = _definitions(properties)
        for argument, bounds in (("inputs", inputs), ("outputs", outputs)):
            if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
                refuse(argument, "expected minimum and maximum, such as (0, 5)", bounds)
            check(argument, "ArtifactDetails", _counts(bounds))
            if bounds[0] > bounds[1]:
                refuse(argument, "the minimum is above the maximum", bounds)
        request = {
            **{k: v for k, v in action_type.as_dict().items() if k != "owner"},
            "configurationProperties": list(definitions.values()),
            "inputArtifactDetails": _counts(inputs),
            "outputArtifactDetails": _counts(outputs),
        }
        with _refusing("properties"):
            check_properties(definitions.values())
        with _refusing("action_type"):
            self.register(
                RegisteredActionType(action_type, definitions, inputs, outputs, request=request)
            )

    def delete(self, action_type: ActionType) -> None:
        """Mark a type as deleted; an unknown one is not an error (the operation models none)."""
        known = self._types.get(action_type)
        if known is not None:
            known.deleted = True

    def all(self, owner: str | None = None) -> list[RegisteredActionType]:
        """Return the existing types, of one owner if given, in a stable order."""
        return [
            self._types[name]
            for name in sorted(self._types)
            if not self._types[name].deleted and owner in (None, name.owner)
        ]


def _definitions(properties: object) -> dict[str, dict[str, Any]]:
    """Return a test's properties in the form that CreateCustomActionType takes, by name.

    Raises:
        ValueError: naming `properties`, the rule and the value.
    """
    if not isinstance(properties, Mapping):
        refuse("properties", "expected a dict such as {'Theme': {'required': True}}", properties)
    definitions = {}
    for name, given in properties.items():
        argument = f"properties[{name!r}]"
        if not isinstance(given, Mapping):
            refuse(argument, "expected a dict such as {'required': True}", given)
        for member in given:
            if member not in _PROPERTY_MEMBERS:
                raise ValueError(
                    f"{argument}: unknown member {member!r}, expected {sorted(_PROPERTY_MEMBERS)}"
                )
        flags = {"required": False, "key": False, "secret": False}
        definitions[name] = {"name": name, **flags, **_present(given)}
        check(argument, "ActionConfigurationProperty", definitions[name])
    check("properties", "ActionConfigurationPropertyList", list(definitions.values()))
    return definitions


def _present(given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out members that are None: the service treats a null member as absent."""
    return {name: value for name, value in given.items() if value is not None}


@contextmanager
def _refusing(argument: str) -> Iterator[None]:
    """Turn the service's rejection into a ValueError about a test's argument."""
    try:
        yield
    except ServiceError as error:
        raise ValueError(f"{argument}: {error.message}") from None


def check_properties(properties: Iterable[Mapping[str, Any]]) -> None:
    """Apply the rules that the model gives only as text (shape `ActionConfigurationProperty`).

    Raises:
        ServiceError: ValidationException.
    """
    queryable = [p for p in properties if p.get("queryable")]
    if len(queryable) > 1:
        names = ", ".join(str(p["name"]) for p in queryable)
        raise invalid(f"Only one configuration property can be queryable, got {names}")
    for definition in queryable:
        if not definition["required"] or definition["secret"]:
            raise invalid(
                f"A queryable configuration property must be required and not secret:"
                f" {definition['name']}"
            )
