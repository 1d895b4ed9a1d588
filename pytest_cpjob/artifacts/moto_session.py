"""moto's life under a stub: started with the first artifact, beside any `mock_aws` of the user's.

`mock_aws` is made for one at a time. Of several, it puts boto3's default session and its settings
back only where the first that starts is the last that stops; and it puts itself before whatever
`responses` a test has begun. So none is started here. What it counts is counted up, which keeps
moto answering, and objects alive, while the user's own mocks come and go; each of these puts back
what it has changed when it stops, as it does without us.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pytest_cpjob.aws.environment import DUMMY_CREDENTIALS
from pytest_cpjob.patching import Patches, Undo, when_imported
from pytest_cpjob.requirements import require

if TYPE_CHECKING:
    from moto.core.models import MockAWS

_OF_AWS: Final = r"https?://[^/?#@]+\.amazonaws\.com(\.cn)?(:\d+)?([/?]|$)"


class _LetPass(Exception):
    """The user's settings of moto let a request pass."""


class MotoSession:
    """moto, kept answering for as long as a stub needs it.

    Attributes:
        is_started: whether it is kept answering from here.
        was_there: whether a `mock_aws` was active before, with what is in it.
    """

    def __init__(self) -> None:
        self.is_started = False
        self.was_there = False
        self._undo = Undo()
        self._mocks: list[MockAWS] = []
        self._variables: Mapping[str, str | None] = {}

    # -- the user's own mocks ----------------------------------------------------------------------

    def watch(self, undo: Undo, variables: Mapping[str, str | None]) -> None:
        """See every `mock_aws` that starts or stops until the undo.

        Args:
            variables: those of the machine, before the stub hides them.
        """
        global _watching
        self._variables = variables
        _watching = self
        undo.later(self._leave_mocks)
        when_imported("moto.core.models", lambda: _patches().put_in_place(undo), undo)

    def started(self, mock: MockAWS) -> None:
        """Take note of a `mock_aws` that has started."""
        self._mocks.append(mock)
        if self.is_started and type(mock)._nested_count == 2:
            # The user's first: for `requests` it does what it would do without us.
            mock._enable_patching(reset=False)

    def stopped(self, mock: MockAWS) -> None:
        """Take note of a `mock_aws` that has stopped."""
        if mock in self._mocks:
            self._mocks.remove(mock)
        if self.is_started:
            self._end(mock)

    def _end(self, mock: MockAWS) -> None:
        """Put back what moto puts back for the last mock only: while we count, none is."""
        from moto.core.models import MockAWS, responses_mock

        mock._default_session_mock.stop()
        mock._user_config_mock.stop()
        if MockAWS._nested_count == 1:
            MockAWS._mocks_active = False
            responses_mock.stop()

    def _leave_mocks(self) -> None:
        """Let a mock that goes on put back what was before the stub, not the stub's dummies."""
        global _watching
        _watching = None
        for mock in self._mocks:
            for name, dummy in DUMMY_CREDENTIALS.items():
                if mock._orig_creds.get(name) == dummy:
                    mock._orig_creds[name] = self._variables[name]
        self._mocks.clear()

    # -- our own -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Keep moto answering from now on, unless it is already."""
        if self.is_started:
            return
        require("moto")
        from moto.core.models import MockAWS, botocore_stubber

        with MockAWS._mock_init_lock:
            self.was_there = MockAWS._nested_count > 0
            MockAWS._nested_count += 1
            if not self.was_there:
                botocore_stubber.enabled = True
                _remove_data()
        self.is_started = True
        _answers().put_in_place(self._undo)

    def stop(self) -> bool:
        """Keep it no longer, and return whether a mock of the user's goes on."""
        if not self.is_started:
            return False
        self.is_started = False
        self._undo.all()
        from moto.core.model_instances import reset_model_data
        from moto.core.models import MockAWS, botocore_stubber, responses_mock

        with MockAWS._mock_init_lock:
            MockAWS._nested_count -= 1
            goes_on = MockAWS._nested_count > 0
            if not goes_on:
                botocore_stubber.enabled = False
                _remove_data()
                reset_model_data()
                responses_mock.stop()
        return goes_on


_watching: MotoSession | None = None


@cache
def _patches() -> Patches:
    from moto.core.models import MockAWS

    return Patches((MockAWS, "start", _starting), (MockAWS, "stop", _stopping))


def _starting(original: Callable[..., None]) -> Callable[..., None]:
    def start(mock: MockAWS, *args: Any, **kwargs: Any) -> None:
        original(mock, *args, **kwargs)
        watching = _watching
        if watching is not None:
            watching.started(mock)

    return start


def _stopping(original: Callable[..., None]) -> Callable[..., None]:
    def stop(mock: MockAWS, *args: Any, **kwargs: Any) -> None:
        original(mock, *args, **kwargs)
        watching = _watching
        if watching is not None:
            watching.stopped(mock)

    return stop


@cache
def _answers() -> Patches:
    """Answer what `requests` sends to AWS, such as a presigned URL; all else goes its way."""
    from requests.adapters import HTTPAdapter

    return Patches((HTTPAdapter, "send", _sending))


def _sending(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        is_answered = _watching is not None and _watching.is_started
        if not (is_answered and re.match(_OF_AWS, request.url or "")):
            return original(adapter, request, *args, **kwargs)
        try:
            answer = _answer(request)
        except _LetPass:
            return original(adapter, request, *args, **kwargs)
        return adapter.build_response(request, answer)

    return send


def _answer(request: Any) -> Any:
    """Return moto's answer, as its own responses have it: by now a form's fields are read.

    Raises:
        _LetPass: it has none.
    """
    from moto.core.custom_responses_mock import CallbackResponse
    from moto.core.models import botocore_stubber

    answered_by_moto = getattr(
        botocore_stubber, "process_prepared_request", botocore_stubber.process_request
    )

    def callback(request: Any) -> Any:
        answer = answered_by_moto(request)
        if answer is None:
            raise _LetPass
        return answer

    return CallbackResponse(request.method, re.compile(_OF_AWS), callback=callback).get_response(
        request
    )


def _remove_data() -> None:
    """Reset moto as its own mocks do.

    Its answers to `requests` are taken out where there are any, which a mock of the user's has put
    in: to take out none would take longer than all else.
    """
    from moto.core.base_backend import BackendDict
    from moto.core.custom_responses_mock import reset_responses_mock
    from moto.core.models import responses_mock

    BackendDict.reset()
    if responses_mock.registered():
        reset_responses_mock(responses_mock)
