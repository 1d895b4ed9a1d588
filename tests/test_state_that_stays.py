"""Whatever happens in a test, the process is afterwards what it was before."""

from __future__ import annotations

import json
import sys

import pytest
from user_projects import ACTION, LEAN

pytest_plugins = ["pytester"]

START = """
import os, sys
import boto3, pytest
from moto import mock_aws
import my_action
from pytest_cpjob import CodePipelineStub

def run(cpjob, **arguments):
    arguments = arguments or {"input_artifacts": ["Source"], "output_artifacts": ["Site"]}
    job = cpjob.add_lambda_job(**arguments).invoke(my_action.lambda_handler)
    assert job.status == "Succeeded"
    return job
"""
SCENARIOS = {
    "without artifacts": "def test(cpjob): run(cpjob, user_parameters='x')",
    "with artifacts": "def test(cpjob): run(cpjob)",
    "a failing test": "def test(cpjob): run(cpjob); assert False",
    "a finding": "def test(cpjob): cpjob.add_lambda_job().invoke(my_action.forgets)",
    "a skip": "def test(cpjob): run(cpjob); pytest.skip('no')",
    "an expected failure": "@pytest.mark.xfail\ndef test(cpjob): run(cpjob); assert False",
    "a set-up that fails afterwards": """
@pytest.fixture
def fails(cpjob): run(cpjob); assert False
def test(fails): pass
""",
    "a set-up that fails before": """
@pytest.fixture
def fails(): assert False
def test(fails, cpjob): pass
""",
    "a teardown that fails": """
@pytest.fixture
def fails(cpjob): yield; run(cpjob); assert False
def test(fails): pass
""",
    "exit": "def test(cpjob): run(cpjob); pytest.exit('enough')",
    "exit in set-up": """
@pytest.fixture
def leaves(cpjob): run(cpjob); pytest.exit('enough')
def test(leaves): pass
""",
    "an interrupt": "def test(cpjob): run(cpjob); raise KeyboardInterrupt",
    "an interrupt in set-up": """
@pytest.fixture
def interrupted(cpjob): run(cpjob); raise KeyboardInterrupt
def test(interrupted): pass
""",
    "SystemExit": "def test(cpjob): run(cpjob); sys.exit(1)",
    "an option that cannot be": "@pytest.mark.cpjob(region='x')\ndef test(cpjob): pass",
    "an unknown option": "@pytest.mark.cpjob(regoin='x')\ndef test(cpjob): pass",
    "a stub inside": "def test(cpjob):\n    with CodePipelineStub(): pass",
    "a stub of its own that fails": """
def test():
    with CodePipelineStub() as cpjob:
        run(cpjob)
        assert False
""",
    "a doctest": "def documented():\n    '>>> run(getfixture(\"cpjob\")) is None\\nTrue'",
    "a partial": """
import functools
def takes(cpjob, what): run(cpjob)
test = functools.partial(takes, what=1)
""",
    "a TestCase": """
import unittest
class Case(unittest.TestCase):
    def setUp(self): self.cpjob = self.enterContext(CodePipelineStub()) if hasattr(
        self, "enterContext") else CodePipelineStub().__enter__()
    def tearDown(self): hasattr(self, "enterContext") or self.cpjob.__exit__(None, None, None)
    def test(self): run(self.cpjob)
""",
    "a TestCase with a fixture": """
import unittest
class Case(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _stub(self, cpjob): self.cpjob = cpjob
    def test(self): run(self.cpjob); self.fail()
""",
    "a mock around": "@mock_aws\ndef test(cpjob): run(cpjob)",
    "a mock inside": "def test(cpjob):\n    with mock_aws(): run(cpjob)\n    run(cpjob)",
    "a mock fixture before": """
@pytest.fixture
def aws():
    with mock_aws(): yield
def test(aws, cpjob): run(cpjob)
""",
    "a mock fixture after": """
@pytest.fixture
def aws():
    with mock_aws(): yield
def test(cpjob, aws): run(cpjob)
""",
    "a mock that ends late": """
@pytest.fixture
def late(request):
    mocks = []
    yield mocks
    mocks[0].stop()
def test(late, cpjob):
    late.append(mock_aws())
    late[0].start()
    run(cpjob)
""",
    "a mock that ends early": """
@pytest.fixture
def aws():
    mock = mock_aws()
    mock.start()
    return mock
def test(aws, cpjob): run(cpjob); aws.stop()
""",
    "a webhook": """
import responses
@responses.activate
def test(cpjob): run(cpjob)
""",
    "a webhook that ends late": """
import responses
@pytest.fixture
def mocked():
    mock = responses.RequestsMock()
    yield mock
    mock.stop()
def test(mocked, cpjob): run(cpjob); mocked.start()
""",
    "variables deleted": """
def test(monkeypatch, cpjob):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    run(cpjob, user_parameters="x")
""",
    "variables set": """
def test(monkeypatch, cpjob):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_PROFILE", "testing")
    run(cpjob)
""",
    "a default session": """
def test(cpjob): boto3.client("sqs", region_name="us-east-1"); run(cpjob)
""",
    "a tracer put on top": """
from unittest import mock
from botocore.client import BaseClient
@pytest.fixture
def traced():
    patch = mock.patch.object(BaseClient, "_make_api_call", autospec=True)
    yield patch
    patch.stop()
def test(traced, cpjob): run(cpjob); traced.start()
""",
    "asyncio": """
import asyncio
def test(cpjob): asyncio.run(asyncio.to_thread(run, cpjob))
""",
    "gevent": """
gevent = pytest.importorskip('gevent', reason='no extra has it')
def test(cpjob): gevent.spawn(run, cpjob).get()
""",
    "trio": """
trio = pytest.importorskip('trio', reason='no extra has it')
def test(cpjob): trio.run(trio.to_thread.run_sync, run, cpjob)
""",
    "a thread that ends late": """
import threading
def test(cpjob):
    threading.Thread(target=threading.Event().wait, args=(0.2,), name="late").start()
""",
    "a worker": """
def test(cpjob):
    cpjob.add_job(action_type="Build:Custom:Docs:1", input_artifacts=["Source"])
    kind = {"category": "Build", "owner": "Custom", "provider": "Docs", "version": "1"}
    def work():
        client = boto3.client("codepipeline", region_name="us-east-1")
        while True:
            for job in client.poll_for_jobs(actionTypeId=kind)["jobs"]:
                client.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
                client.put_job_success_result(jobId=job["id"])
    cpjob.run_worker(work)
""",
    "a worker that raises": """
def test(cpjob): cpjob.run_worker(lambda: 1 / 0)
""",
    "a function's time-out": """
import time
def test(cpjob): cpjob.add_lambda_job().invoke(lambda event, context: time.sleep(1000))
""",
    "a handler that raises": "def test(cpjob): cpjob.add_lambda_job().invoke(lambda e, c: 1 / 0)",
    "a cold start": """
def test(cpjob): cpjob.add_lambda_job().invoke("my_action.lambda_handler", cold=True)
""",
    "a time-out by a signal": """
import signal, time
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX")
def test(cpjob):
    def ring(number, frame):
        # pytest cannot show a frame that is at no line, as some steps of Python's are.
        if frame.f_lineno is not None: raise TimeoutError
    before = signal.signal(signal.SIGALRM, ring)
    # Again each second: Python itself drops what is raised in a callback of a weak reference.
    signal.setitimer(signal.ITIMER_REAL, 0.05, 1)
    try:
        while True: run(cpjob)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
""",
    "a time-out by a thread": """
import ctypes, threading
def test(cpjob):
    number = ctypes.c_ulong(threading.get_ident())
    raises = ctypes.pythonapi.PyThreadState_SetAsyncExc
    def ring(): raises(number, ctypes.py_object(TimeoutError))
    timers = [threading.Timer(seconds + 0.05, ring) for seconds in range(9)]
    for timer in timers: timer.start()
    try:
        while True: run(cpjob)
    finally:
        for timer in timers: timer.cancel()
        for timer in timers: timer.join()
""",
    "a fork": """
@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test(cpjob):
    child = os.fork()
    if not child: os._exit(0)
    os.waitpid(child, 0)
    run(cpjob)
""",
    "a process of its own": """
def test(cpjob, cpjob_endpoint):
    job = cpjob.add_lambda_job()
    code = "import boto3, sys\\nclient = boto3.client('codepipeline')\\n"
    code += "client.put_job_success_result(jobId=sys.argv[1])"
    assert cpjob_endpoint.run([sys.executable, "-c", code, job.id]).returncode == 0
def test_next(cpjob_endpoint): assert False
""",
    "a sweep": """
@pytest.mark.cpjob_faults
def test(cpjob): run(cpjob, user_parameters="x")
""",
    "real credentials": """
@pytest.fixture(scope="module")
def real():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "x" * 40)
        patch.setenv("AWS_SESSION_TOKEN", "x")
        yield
def test(real, cpjob): run(cpjob); assert "AWS_SESSION_TOKEN" not in os.environ
""",
    "what code prints and warns of": """
import logging, warnings
def test(cpjob, caplog, capsys):
    logging.getLogger().warning("x"); warnings.warn("x"); print("x"); run(cpjob)
""",
}

WATCH = """
import gc, json, logging, os, queue, signal, subprocess, sys, threading, time, warnings
import boto3, boto3.s3.transfer, botocore.client, botocore.credentials, botocore.endpoint, pytest
import botocore.hooks, botocore.httpsession, botocore.loaders, botocore.session, botocore.signers
import moto.core.models, requests.adapters, responses, asyncio, concurrent.futures.thread, socket
from moto.core.config import default_user_config

OWNERS = [
    boto3, boto3.s3.transfer, botocore.hooks, botocore.session.Session, moto.core.models.MockAWS,
    moto.core.models.responses_mock, moto.core.models.botocore_stubber,
    botocore.client.BaseClient, botocore.client.ClientCreator, botocore.endpoint.Endpoint,
    botocore.httpsession.URLLib3Session, botocore.httpsession.ProxyConfiguration,
    botocore.signers.RequestSigner, botocore.credentials.RefreshableCredentials,
    botocore.loaders.JSONFileLoader, botocore.loaders.Loader, botocore.hooks.EventAliaser,
    requests.adapters.HTTPAdapter, responses, os, queue.Queue, signal, socket, subprocess,
    subprocess.Popen, threading, threading.Thread, threading.Event, threading.Condition, time,
    asyncio, concurrent.futures.Future, concurrent.futures.thread, pytest,
]
CHANGE = {"__warningregistry__", "_counter", "_registry", "_calls", "environ"}
VALUES = (str, int, float, bool, bytes, type(None))

def patched():
    return {
        f"{getattr(owner, '__name__', owner)}.{name}": value if type(value) in VALUES else id(value)
        for owner in OWNERS
        for name, value in vars(owner).items()
        if name not in CHANGE
    }

def small():
    return {
        "environment": {n: v for n, v in os.environ.items() if not n.startswith("PYTEST_")},
        "moto's settings": repr(default_user_config),
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "warnings": list(warnings.filters),
        "logging": list(logging.getLogger().handlers),
        "imports": list(sys.meta_path),
        **patched(),
    }

def whole():
    deadline = time.time() + 10
    while threading.active_count() > 1 and time.time() < deadline:
        time.sleep(0.01)
    # What an exception's traceback holds is closed when nobody has it any more: pytest keeps one.
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        vars(sys).pop(name, None)
    gc.collect()
    return {
        **small(),
        "output": [sys.stdout, sys.stderr],
        "threads": [thread.name for thread in threading.enumerate()],
        "files": len(open_files()),
    }

def open_files():
    found = []
    for number in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            path = os.readlink(f"/proc/self/fd/{number}")
        except OSError:  # that of the listing itself
            continue
        if ".so" not in path:  # ctypes lets libffi keep its own file open
            found.append(path)
    return found

def differences(before, after):
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))

class Watcher:
    def __init__(self):
        self.found = []
        self.outcomes = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        if nextitem is not None or "module" in open(item.path).read():
            return (yield)
        before = small()
        ended = yield  # where the run is ended in it, the teardown is still to come
        self.found += differences(before, small())
        return ended

    def pytest_runtest_logreport(self, report):
        self.outcomes.append(f"{report.when[0]}:{report.outcome[0]}")

def run(path):
    watcher = Watcher()
    before = whole()
    try:
        pytest.main(["-q", "--doctest-modules", "-p", "no:cacheprovider", path], plugins=[watcher])
    except BaseException as error:
        watcher.found.append(repr(error))
    sys.modules.pop("my_action", None)
    sys.modules.pop(os.path.basename(path).removesuffix(".py"), None)
    return {
        "found": sorted({*watcher.found, *differences(before, whole())}),
        "outcomes": watcher.outcomes,
    }

paths = sorted(name for name in os.listdir() if name.startswith("test_"))
run(paths[0])  # imports what is imported once
run("test_00.py")
results = {path: run(path) for path in paths}
with open("results.json", "w") as file:
    json.dump(results, file)
"""


def test_nothing_stays_of_anything_that_can_happen(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", LEAN)
    pytester.makepyfile(my_action=ACTION, watch=WATCH)
    names = {}
    for number, (name, scenario) in enumerate(SCENARIOS.items()):
        path = pytester.path / f"test_{number:02}.py"
        path.write_text(START + scenario, encoding="utf-8")
        names[path.name] = name

    ended = pytester.run(sys.executable, "watch.py")

    results = json.loads((pytester.path / "results.json").read_text(encoding="utf-8"))
    assert ended.ret == 0
    assert len(results) == len(SCENARIOS) >= 40
    stayed = {names[path]: each["found"] for path, each in results.items() if each["found"]}
    assert stayed == {}
    ran = {names[path]: "".join(each["outcomes"]) for path, each in results.items()}
    assert sum("c:p" in outcomes for outcomes in ran.values()) >= 20
