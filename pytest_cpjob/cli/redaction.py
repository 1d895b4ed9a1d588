"""Redaction: removes secrets and ids from a real document, and keeps its shape and consistency."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.documents.timestamps import first_expiration
from pytest_cpjob.documents.values import Draws

REDACTED: Final = "redacted"
_SHORTEST: Final = 8
"""Shorter values are not replaced inside other texts, where they may occur by chance."""

_DEEPEST: Final = 200
_PATTERNS: Final = {
    "uuid": r"(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
    "multi_region_key": r"\bmrk-[0-9a-f]{32}\b",
    "key": r"\b(?:A3T[A-Z0-9]|ABIA|ACCA|AIDA|AKIA|AROA|ASIA)[A-Z0-9]{16}\b",
    "bucket": r"\bcodepipeline-[a-z]{2}(?:-[a-z]+)+-\d-[0-9a-z-]*[0-9a-z]",
    "token": r"[A-Za-z0-9+/]{100,}={0,2}",
    "commit": r"\b[0-9a-f]{40}\b",
    "secret": r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])",
    "account": r"(?<!\d)\d{12}(?!\d)",
}
"""What is recognized anywhere by its form; the first match counts."""

_MEMBERS: Final = {
    "accesskeyid": "key",
    "secretaccesskey": "secret",
    "sessiontoken": "token",
    "accountid": "account",
    "bucketname": "bucket",
    "bucket": "bucket",
    "objectkey": "object",
    "revision": "revision",
    "revisionid": "revision",
    "revisionchangeid": "revision",
    "changeidentifier": "revision",
    "versionid": "revision",
    "commitid": "revision",
    "clienttoken": "client",
}
"""What is recognized by its member's name, in lower case and of letters only."""

_A_TEXT: Final = "userparameters"
_TEXTS: Final = frozenset({"continuationtoken", _A_TEXT})
_CONFIGURATIONS: Final = frozenset({"configuration", "outputvariables"})
_NAMES: Final = frozenset(
    {"actionname", "functionname", "name", "pipelinename", "provider", "stagename"}
)
_DRAWN: Final[dict[str, Callable[[Draws, str], str]]] = {
    "uuid": lambda values, old: values.job_id().upper() if old.isupper() else values.job_id(),
    "multi_region_key": lambda values, old: f"mrk-{values.commit_id()[:32]}",
    "key": lambda values, old: old[:4] + values.access_key_id()[4:],
    "bucket": lambda values, old: values.artifact_bucket_name(_region_in(old)),
    "token": lambda values, old: values.session_token(),
    "commit": lambda values, old: values.commit_id(),
    "secret": lambda values, old: values.secret_access_key(),
    "account": lambda values, old: values.account_id(),
    "revision": lambda values, old: values.s3_version_id(),
    "client": lambda values, old: values.client_token(),
    "object": lambda values, old: _object_key(values, old),
}


def redacted(document: Any, *, seed: str = "") -> Any:
    """Return a redacted copy of a document about a job, from AWS's APIs or a Lambda event.

    Credentials, tokens, account ids, job, execution and key ids, buckets, the random parts of
    object keys, revisions, configuration values and output variables are replaced, also inside
    other texts; equal values get equal replacements. Names of pipelines, stages, actions,
    artifacts and functions are kept, as are nulls and missing members.

    Raises:
        ValueError: the document is nested deeper than AWS's are.
    """
    redaction = _Redaction(Stream(seed, "redaction"))
    for member, value in _members(document, "", _DEEPEST):
        redaction.learn(member, value)
    return redaction.of(document, "")


def kinds_of(document: object) -> tuple[str, ...]:
    """Return which of the documents this may be, judged by its members.

    Returns:
        Some of `details`, `poll`, `third-party` and `event`, most likely first, or none.
    """
    if not isinstance(document, dict):
        return ()
    if isinstance(document.get("CodePipeline.job"), dict):
        return ("event",)
    if isinstance(document.get("jobs"), list):
        return ("poll",)
    job = document.get("jobDetails")
    if not isinstance(job, dict):
        return ()
    if "nonce" in job:
        return ("third-party",)
    return ("details",) if "accountId" in job else ("details", "third-party")


def _members(value: Any, member: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield every text of a document, with the name of its member; all configuration is texts."""
    if depth == 0:
        raise ValueError(f"the document is nested deeper than {_DEEPEST}")
    if isinstance(value, dict):
        for name, item in value.items():
            plain = _plain(name)
            if member in _CONFIGURATIONS and plain != "functionname":
                plain = _A_TEXT
            yield from _members(item, plain, depth - 1)
    elif isinstance(value, list):
        for item in value:
            yield from _members(item, member, depth - 1)
    elif isinstance(value, str):
        yield member, value


class _Redaction:
    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._replaced: dict[str, str] = {}
        self._anywhere: re.Pattern[str] | None = None

    def learn(self, member: str, value: str) -> None:
        """Remember a value recognized by its member's name, to replace it in other texts too."""
        if value and member in _MEMBERS:
            self._another(_kind(member, value), value)
        elif member in _TEXTS and len(value) >= _SHORTEST:
            self._replaced.setdefault(value, _blank_text(value))

    def of(self, value: Any, member: str) -> Any:
        """Return a redacted copy of one value; the member's name is in lower case."""
        if isinstance(value, dict):
            inside = member in _CONFIGURATIONS
            return {
                self._recognized(name): self._configured(item, name)
                if inside
                else self.of(item, _plain(name))
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self.of(item, member) for item in value]
        if isinstance(value, str):
            return self._text(value, member)
        if member == "expirationtime" and isinstance(value, (int, float)):
            # The credentials are others, and so is their end: the real one tells of the capture.
            return first_expiration(self._stream.at("clock"))
        if isinstance(value, int) and _is_account(value):
            return int(self._another("account", str(value)))
        return value

    def _configured(self, value: Any, name: str) -> Any:
        """Blank a configuration value; the name of the invoked function is kept."""
        if isinstance(value, str) and _plain(name) == "functionname":
            return self._recognized(value)
        return _blank_text(value) if isinstance(value, str) else _blank(value)

    def _text(self, text: str, member: str) -> str:
        if member in _TEXTS:
            return _blank_text(text)
        if member in _MEMBERS:
            return self._another(_kind(member, text), text) if text else text
        if member in _NAMES:
            return self._recognized(text)
        return self._everywhere().sub(self._found, text)

    def _recognized(self, text: str) -> str:
        """Replace what is recognized."""
        return _BY_FORM.sub(self._found, text)

    def _everywhere(self) -> re.Pattern[str]:
        """Return the pattern of everything recognized, by its form or as a remembered value."""
        if self._anywhere is None:
            learnt = sorted(
                (old for old in self._replaced if len(old) >= _SHORTEST), key=len, reverse=True
            )
            values = (rf"(?<!\w){re.escape(old)}(?!\w)" for old in learnt)
            self._anywhere = re.compile("|".join((*values, _BY_FORM.pattern)))
        return self._anywhere

    def _found(self, found: re.Match[str]) -> str:
        known = self._replaced.get(found[0])
        return known if known is not None else self._another(str(found.lastgroup), found[0])

    def _another(self, kind: str, old: str) -> str:
        """Draw the replacement of a value, the same each time."""
        known = self._replaced.get(old)
        if known is None:
            values = self._stream.at(kind, len(self._replaced)).values
            known = self._replaced[old] = _DRAWN[kind](values, old)
        return known


_BY_FORM: Final = re.compile("|".join(f"(?P<{kind}>{form})" for kind, form in _PATTERNS.items()))


def _plain(name: str) -> str:
    return "".join(filter(str.isalpha, name)).lower()


def _kind(member: str, value: str) -> str:
    kind = _MEMBERS[member]
    if kind == "revision" and re.fullmatch(_PATTERNS["commit"], value):
        return "commit"
    return kind


def _is_account(value: int) -> bool:
    return 10**11 <= value < 10**12


def _region_in(bucket: str) -> str:
    found = re.match(r"codepipeline-([a-z]{2}(?:-[a-z]+)+-\d)-", bucket)
    return found[1] if found else "us-east-1"


def _object_key(values: Draws, old: str) -> str:
    """Redraw the last part of a key; the folders are the names of pipeline and artifact."""
    folder, slash, last = old.rpartition("/")
    _, dot, extension = last.rpartition(".")
    drawn = values.artifact_object_key("x", "x").rpartition("/")[2]
    return f"{folder}{slash}{drawn}{dot}{extension if dot else ''}"


def _blank_text(text: str) -> str:
    """Replace a text; if it is JSON, only the values in it, so that it stays valid."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return REDACTED if text else text
    return json.dumps(_blank(parsed))


def _blank(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _blank(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_blank(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return REDACTED if value else value
    return type(value)(0)
