"""The harness: the parts of one stub, connected, and active in this process once started.

Everything that runs or serves code under test uses the harness: runners, jobs, the endpoint, the
command line and the plugin. Users' API is in `stub`.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ReadTimeoutError

from pytest_cpjob.artifacts.moto_session import MotoSession
from pytest_cpjob.artifacts.store import ArtifactStore
from pytest_cpjob.aws.environment import hide_machine, secrets_of_machine, variables_of_machine
from pytest_cpjob.clients.call_router import CallRouter
from pytest_cpjob.clients.interceptor import ClientInterceptor
from pytest_cpjob.clients.leftover_threads import cut_off, release, threads_cut_off
from pytest_cpjob.clients.role_check import RoleCheck
from pytest_cpjob.contract.expected_errors import watch_expected_errors
from pytest_cpjob.contract.inspection import Inspection
from pytest_cpjob.contract.masking import Secrets, masking, secrets_of
from pytest_cpjob.contract.observer import Observer
from pytest_cpjob.defaults import WIDTH
from pytest_cpjob.documents.job_arguments import account_id_checked, region_checked
from pytest_cpjob.documents.streams import Stream
from pytest_cpjob.documents.timestamps import clock_start
from pytest_cpjob.errors import CpjobError
from pytest_cpjob.job_builder import JobBuilder
from pytest_cpjob.patching import Undo, restore_late_attributes
from pytest_cpjob.requirements import require
from pytest_cpjob.service.clock import Clock
from pytest_cpjob.service.job_service import JobService
from pytest_cpjob.settings import Settings
from pytest_cpjob.threads import wait_for_threads, watch_idle_threads
from pytest_cpjob.variables import restore_late_variables
from pytest_cpjob.virtual_time.direct_polls import DirectPolls
from pytest_cpjob.virtual_time.locks import stand_in_for_locks

if TYPE_CHECKING:
    from pytest_cpjob.artifacts.access import Access
    from pytest_cpjob.report.records import Block
    from pytest_cpjob.sweeps.variations import Variation

THREAD_PATIENCE: Final = 1.0
"""How long to wait for threads to end after their test, in seconds of real time."""

_active: Harness | None = None
_activation = threading.Lock()
_left: Final[list[Secrets]] = []
_test = ""


if TYPE_CHECKING:
    # Not at run time: to make a Protocol takes as long as a dozen plain classes.
    from typing import Protocol

    class ShownExecution(Protocol):
        """A pipeline's execution as reports show it."""

        @property
        def id(self) -> str:
            """Its pipelineExecutionId."""

        def _timeline_in_short(self) -> str:
            """Return what became of stages and actions, as text."""

        def mermaid(self) -> str:
            """Return it as a Mermaid flow chart."""

        def _repr_html_(self) -> str: ...


class Harness:
    """One stub's parts; a new harness is created each time that the stub is entered.

    Attributes:
        service: the job service, with its clock, call log, faults and grants.
        store: the artifact objects.
        observer: what was observed of the code under test.
        inspection: the findings of the contract's checks.
        roles: what the functions' own roles may do.
        router: answers each call.
        builder: builds jobs from a test's arguments.
        report_width: returns how many columns a report has.
        report_blocks: what else a report of the run shows of this stub's test, made at its end.
        running: what the test has started beside itself, each by the function that ends it.
        undo: the changes to undo when the stub stops.
        stream: the source of the stub's drawn values.

    Raises:
        ValueError: an option is invalid; the message names it.
        CpjobError: boto3 or botocore is too old.
    """

    def __init__(self, settings: Settings) -> None:
        require("boto3", "botocore")
        region_checked(settings.region)
        account_id_checked(settings.account_id)
        self.settings = settings
        self.stream = Stream(settings.seed, settings.test_id, "stub")
        self.service = JobService(
            account_id=settings.account_id,
            clock=Clock(partial(clock_start, self.stream.at("clock"))),
        )
        self._moto = MotoSession()
        self._own_clients: weakref.WeakSet[Any] = weakref.WeakSet()
        self.store = ArtifactStore(self._moto, self._own_clients.add)
        self.observer = Observer(self.service, self.store, own_role=settings.own_role)
        self.inspection = Inspection(settings, self.service, self.observer)
        self.roles = RoleCheck(settings, self.service.registry.jobs)
        self.router = CallRouter(
            self.service,
            account_id=settings.account_id,
            region=settings.region,
            access=partial(_access, settings, self.service, self.store.buckets),
            is_in_store=self.store.has,
            on_result=self.observer.look_at_outputs,
            on_stopped=self.observer.stopped_calls.append,
            on_stored=self.observer.look_at_object,
            roles=self.roles,
        )
        self.builder = JobBuilder(settings, self.service, self.store, self.roles, self.stream)
        self.report_blocks: list[Callable[[], Block]] = []
        self.running: list[Callable[[], object]] = []
        self._interceptor = ClientInterceptor(
            self.router, self.service.grants.is_issued, self._own_clients
        )
        self.observer.forked_calls = self._interceptor.forked.calls
        self.undo = Undo()
        self.executions: list[ShownExecution] = []
        self.report_width: Callable[[], int] = lambda: WIDTH
        self._threads_before: frozenset[threading.Thread] = frozenset()

    @property
    def is_active(self) -> bool:
        """Whether this stub answers clients now."""
        return _active is self

    @property
    def has_secrets(self) -> bool:
        """Whether there is anything by now that nobody may see."""
        return bool(self.service.registry.jobs or self.service.secret_texts)

    def start(self) -> None:
        """Answer every client in the process from now on.

        Raises:
            CpjobError: a stub is already active.
        """
        global _active
        with _activation:
            if _active is not None:
                raise CpjobError(
                    "a CodePipelineStub is already active, and only one can be: in a test that has"
                    " the cpjob fixture, use cpjob"
                )
            _active = self
        try:
            release()
            restore_late_attributes()
            restore_late_variables()
            self._threads_before = frozenset(threading.enumerate())
            stand_in_for_locks(self.undo)
            watch_idle_threads(self.undo)
            self.router.outside_runs = DirectPolls(self.undo)
            variables = variables_of_machine()
            self._moto.watch(self.undo, variables)
            self.service.secret_texts |= secrets_of_machine(variables)
            hide_machine(self.undo, self.settings.region, variables)
            watch_expected_errors(self.observer.met, self.undo)
            self._interceptor.install()
        except BaseException:
            self.stop()
            raise

    def vary(self, variation: Variation) -> None:
        """Apply one variation of a sweep to this test: another job, a fault, or a warm start."""
        self.builder.variation = variation
        from pytest_cpjob.service.faults import FaultAtCall

        faults = self.service.faults
        if variation.failing_call:
            lost = ReadTimeoutError(endpoint_url="https://aws") if variation.is_lost else None
            faults.at_call = FaultAtCall(variation.failing_call, variation.is_for, lost)
        if variation.fault is not None:
            _, error, service, after = variation.fault
            service = service or "codepipeline"
            met = ReadTimeoutError(endpoint_url=f"https://{service}") if error == "lost" else error
            for operation in variation.faulty_operations:
                fault = faults.add(operation, met, times=1, service=service, after=after)
                fault.may_stay_unmet = True
                fault.aim = None if variation.action is None else variation.is_for

    def end_running(self) -> None:
        """End what the test has started beside itself, the latest first."""
        while self.running:
            self.running.pop()()

    def settle(self) -> None:
        """Wait for the threads that the test has started, and record those that do not end."""
        self.observer.running_threads = wait_for_threads(
            self._threads_before | threads_cut_off(), THREAD_PATIENCE, daemons=True
        )

    def runs_code(self) -> bool:
        """Whether threads that the test has started are still running."""
        return bool(wait_for_threads(self._threads_before, 0.0, daemons=True))

    def stop(self) -> None:
        """Undo everything; a second stop does nothing."""
        global _active
        if _active is not self:
            return
        try:
            self.undo.later(self.store.stop)
            self.undo.later(self._interceptor.remove)
            if self.has_secrets:
                _keep_for_report(secrets_of(self.service))
            self.undo.all()
            if self.observer.running_threads:
                # With those that they have started since.
                others = self._threads_before | threads_cut_off()
                now = wait_for_threads(others, 0, daemons=True)
                cut_off({*self.observer.running_threads, *now})
        finally:
            _active = None

    def client(self, service: str, region: str) -> Any:
        """Return a client for the test itself, exempt from faults and from the contract."""
        from pytest_cpjob.aws.plain_client import own_client

        client = own_client(service, region)
        self._own_clients.add(client)
        return client


def _access(settings: Settings, service: JobService, buckets: Mapping[str, str]) -> Access:
    """Return who may open what now."""
    from pytest_cpjob.artifacts.access import Access

    return Access(service.grants.find, buckets, settings.own_role, service.clock.now)


def active_harness() -> Harness | None:
    """Return the harness of the stub that is active in this process."""
    return _active


def _keep_for_report(secrets: Secrets) -> None:
    """Keep the secrets of stubs that one test of pytest has left: its report comes afterwards."""
    global _test
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
    if test != _test:
        _test = test
        _left.clear()
    if test:
        _left.append(secrets)


def maskings_of_test() -> list[Callable[[str], str]]:
    """Return what masks the secrets of each stub that pytest's current test has left, or is in."""
    maskings: list[Callable[[str], str]] = [secrets.hide for secrets in _left]
    if _active is not None and _active.has_secrets:
        maskings.append(masking(_active.service))
    return maskings


def forget_test() -> None:
    """Keep no secrets of an earlier test any longer."""
    _left.clear()
