"""The four operations on action types; requests and responses have AWS's shapes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from pytest_cpjob.documents.facts import ActionType
from pytest_cpjob.service import limits
from pytest_cpjob.service.action_types import ActionTypes, RegisteredActionType, not_available
from pytest_cpjob.service.errors import ServiceError, invalid

Request = Mapping[str, Any]
Response = dict[str, Any]


class ActionTypeOperations:
    """CreateCustomActionType, DeleteCustomActionType, ListActionTypes and GetActionType."""

    def __init__(self, types: ActionTypes, account_id: str) -> None:
        self._types = types
        self._account_id = account_id

    def call(self, operation: str, request: Request) -> Response:
        """Answer one of the operations, by its name."""
        answer: Mapping[str, Callable[[Request], Response]] = {
            "CreateCustomActionType": self.create,
            "DeleteCustomActionType": self.delete,
            "ListActionTypes": self.list,
            "GetActionType": self.get,
        }
        return answer[operation](request)

    def create(self, request: Request) -> Response:
        """CreateCustomActionType: register a type of owner Custom."""
        tags = [dict(tag) for tag in request.get("tags", ())]
        _check_tags(tags)
        properties = [dict(p) for p in request.get("configurationProperties", ())]
        names = [p["name"] for p in properties]
        if len(set(names)) < len(names):
            raise invalid(f"Configuration property names must be unique, got {names}")
        registered = self._types.register(
            RegisteredActionType(
                _named(request, "Custom"),
                {p["name"]: p for p in properties},
                _bounds(request["inputArtifactDetails"]),
                _bounds(request["outputArtifactDetails"]),
                settings=request.get("settings"),
                request=request,
            )
        )
        response: Response = {"actionType": registered.description()}
        if tags:
            response["tags"] = tags
        return response

    def delete(self, request: Request) -> Response:
        """DeleteCustomActionType: polls of the type fail from now on."""
        self._types.delete(_named(request, "Custom"))
        return {}

    def list(self, request: Request) -> Response:
        """ListActionTypes: the types that this stub knows, in pages."""
        found = self._types.all(request.get("actionOwnerFilter"))
        # A token names the last type shown, not an index: types may be deleted between pages.
        after = _last_shown(request.get("nextToken"))
        found = [t for t in found if after is None or t.action_type > after]
        page = found[: limits.ACTION_TYPES_PER_PAGE]
        response: Response = {"actionTypes": [t.listed() for t in page]}
        if len(found) > len(page):
            last = f"after:{page[-1].action_type}"
            response["nextToken"] = base64.urlsafe_b64encode(last.encode()).decode()
        return response

    def get(self, request: Request) -> Response:
        """GetActionType: the declaration of an AWS or partner type."""
        action_type = _named(request, request["owner"])
        known = self._types.find(action_type)
        if action_type.owner == "AWS":
            raise not_available(action_type)
        return {
            "actionType": {
                "id": dict(action_type.as_dict()),
                "executor": {
                    "type": "JobWorker",
                    "configuration": {
                        "jobWorkerExecutorConfiguration": {"pollingAccounts": [self._account_id]}
                    },
                    "jobTimeout": int(limits.PARTNER_TIMEOUT),
                },
                "inputArtifactDetails": known.description()["inputArtifactDetails"],
                "outputArtifactDetails": known.description()["outputArtifactDetails"],
                "permissions": {"allowedAccounts": ["*"]},
                "properties": [
                    {
                        "name": p["name"],
                        "optional": not p["required"],
                        "key": p["key"],
                        "noEcho": p["secret"],
                        **{k: p[k] for k in ("queryable", "description") if k in p},
                    }
                    for p in known.properties.values()
                ],
            }
        }


def _named(request: Request, owner: str) -> ActionType:
    return ActionType(request["category"], owner, request["provider"], request["version"])


def _bounds(details: Mapping[str, int]) -> tuple[int, int]:
    return details["minimumCount"], details["maximumCount"]


def _check_tags(tags: list[dict[str, str]]) -> None:
    if len(tags) > limits.TAGS:
        raise ServiceError(
            "TooManyTagsException", f"A resource has at most {limits.TAGS} tags, got {len(tags)}"
        )
    keys = [tag["key"] for tag in tags]
    wrong = [key for key in keys if key.lower().startswith("aws:")]
    if wrong or len(set(keys)) < len(keys):
        raise ServiceError(
            "InvalidTagsException",
            f"Tag keys are unique and do not begin with 'aws:', got {keys}",
        )


def _last_shown(token: str | None) -> ActionType | None:
    if token is None:
        return None
    try:
        word, _, last = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if word == "after":
            return ActionType.parse(last)
    except (ValueError, binascii.Error):
        pass
    raise ServiceError(
        "InvalidNextTokenException", "The next token was specified in an invalid format"
    )
