"""Redaction: a real captured document made safe, its shape and its consistency kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from pytest_cpjob.documents.streams import Stream

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ACCOUNT: Final = re.compile(r"(?<!\d)\d{12}(?!\d)")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_KEPT_CONFIGURATION: Final = frozenset({"FunctionName"})
REDACTED: Final = "redacted"


def redacted(document: Any, *, seed: str = "") -> Any:
    """Give a safe copy of a document: what AWS's APIs, a Lambda event or a test log holds of a job.

    Credentials, tokens, account ids, job and execution ids, buckets, object keys' random parts,
    revisions and configuration values are others; the same value becomes the same each time. Names
    of pipelines, stages, actions, artifacts and functions stay, as do `null`s and missing members.
    """
    return _Redaction(Stream(seed, "redaction")).of(document, "", inside_configuration=False)


class _Redaction:
    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._replaced: dict[tuple[str, str], str] = {}
        self._by_member: dict[str, Callable[[str], str]] = {
            "accessKeyId": lambda old: self._another("key", old, "access_key_id"),
            "secretAccessKey": lambda old: self._another("secret", old, "secret_access_key"),
            "sessionToken": lambda old: self._another("token", old, "session_token"),
            "bucketName": self._bucket,
            "bucket": self._bucket,
            "objectKey": self._key,
            "revision": self._revision,
            "continuationToken": self._text,
            "clientToken": lambda old: self._another("client", old, "client_token"),
        }

    def of(self, value: Any, member: str, *, inside_configuration: bool) -> Any:
        if isinstance(value, dict):
            inside = inside_configuration or member in ("configuration", "Configuration")
            return {
                name: self.of(item, name, inside_configuration=inside)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [
                self.of(item, member, inside_configuration=inside_configuration) for item in value
            ]
        if isinstance(value, str):
            if member in self._by_member:
                return self._by_member[member](value)
            if inside_configuration and member not in _KEPT_CONFIGURATION:
                return self._text(value)
            return self._ids(value)
        return value

    def _another(self, kind: str, old: str, method: str, *arguments: Any) -> str:
        """Draw another value for an old one, the same each time."""
        known = self._replaced.get((kind, old))
        if known is None:
            values = self._stream.at(kind, len(self._replaced)).values
            known = self._replaced[kind, old] = getattr(values, method)(*arguments)
        return known

    def _ids(self, text: str) -> str:
        """Replace every UUID and account number inside a text."""
        text = _UUID.sub(lambda found: self._another("uuid", found[0].lower(), "job_id"), text)
        return _ACCOUNT.sub(lambda found: self._another("account", found[0], "account_id"), text)

    def _bucket(self, old: str) -> str:
        return self._another("bucket", old, "artifact_bucket_name")

    def _key(self, old: str) -> str:
        folder, slash, last = old.rpartition("/")
        name, dot, extension = last.partition(".")
        drawn = self._another("object", name, "artifact_object_key", "x", "x").rpartition("/")[2]
        return f"{folder}{slash}{drawn}{dot}{extension}"

    def _revision(self, old: str) -> str:
        is_commit = _COMMIT.fullmatch(old)
        return self._another("revision", old, "commit_id" if is_commit else "s3_version_id")

    def _text(self, old: str) -> str:
        """Replace a text; where it is JSON, only the texts in it, so that it stays readable."""
        try:
            parsed = json.loads(old)
        except ValueError:
            return REDACTED
        if not isinstance(parsed, (dict, list)):
            return REDACTED if isinstance(parsed, str) else old
        return json.dumps(_blank(parsed))


def _blank(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _blank(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_blank(item) for item in value]
    return REDACTED if isinstance(value, str) else value
