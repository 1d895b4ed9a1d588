"""The exceptions of this project: one base class, and all can be pickled (for pytest-xdist)."""

from __future__ import annotations


def text_of(error: BaseException) -> str:
    """Return an exception's text; of one whose `__str__` fails, what Python's traceback says."""
    try:
        return str(error)
    except Exception:
        return "<exception str() failed>"


def repr_of(error: BaseException) -> str:
    """Return an exception's `repr`; of one whose `__repr__` fails, that of any object."""
    try:
        return repr(error)
    except Exception:
        return object.__repr__(error)


class CpjobError(Exception):
    """The base of every exception that pytest-cpjob raises itself.

    >>> with pytest.raises(CpjobError, match="already active"):
    ...     CodePipelineStub().__enter__()
    """


class ArgumentError(CpjobError, ValueError):
    """A value that AWS could not send, or an option that cannot be.

    Attributes:
        argument: the argument as the caller wrote it, such as `input_artifacts[1]`.
        reason: the rule, the value, and how to fix it.
    """

    def __init__(self, argument: str, reason: str) -> None:
        super().__init__(argument, reason)
        self.argument = argument
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.argument}: {self.reason}"


class ArtifactError(CpjobError):
    """An artifact's object is missing, or cannot be read in the way that the test asked for.

    >>> job = cpjob.add_job(output_artifacts=["Site"])
    >>> with pytest.raises(ArtifactError, match="Site"):
    ...     job.output_artifacts["Site"].content
    """


class UnfakedCallError(CpjobError):
    """A call that nothing fakes was blocked before it reached the network.

    >>> sts = boto3.client("sts", region_name="us-east-1")
    >>> with pytest.raises(UnfakedCallError, match="GetCallerIdentity"):
    ...     sts.get_caller_identity()
    """


class HandlerError(CpjobError):
    """A handler cannot be run as AWS Lambda would run it.

    >>> with pytest.raises(HandlerError, match="no_such_module"):
    ...     cpjob.add_lambda_job().invoke("no_such_module.lambda_handler")
    """


class WorkerError(CpjobError):
    """A worker under `run_worker` did not finish.

    >>> def never_acknowledges():
    ...     while True:
    ...         codepipeline.poll_for_jobs(actionTypeId=DOCS)
    ...         time.sleep(300)
    >>> job = cpjob.add_job(action_type="Build:Custom:Docs:1")
    >>> with pytest.raises(WorkerError, match="never acknowledged"):
    ...     cpjob.run_worker(never_acknowledges)
    """


class UnexpectedResult(CpjobError, AssertionError):
    """An action did not end as the test said, by `job.success` or `job.failure`.

    >>> with pytest.raises(UnexpectedResult):
    ...     cpjob.add_lambda_job().success
    """


class EndlessWorkerError(BaseException):
    """A worker's endless loop was called directly. It passes the loop's own `except Exception`."""


class ContractError(CpjobError, AssertionError):
    """The code under test breaks CodePipeline's job contract: the findings of one test.

    Attributes:
        names: the findings' names, in the order of the report, as `allow=[...]` takes them.

    >>> job = cpjob.add_lambda_job().invoke(lambda event, context: None)
    >>> with pytest.raises(ContractError) as caught:
    ...     cpjob.check()
    >>> caught.value.names
    ('no-result',)
    """

    def __init__(self, message: str, names: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.names = names

    def __reduce__(self) -> tuple[type[ContractError], tuple[str, tuple[str, ...]]]:
        return (type(self), (str(self), self.names))


class PipelineWarning(UserWarning):
    """What a pipeline's definition alone shows; `add_pipeline` warns of it.

    >>> issubclass(UnknownVariableWarning, PipelineWarning)
    True
    """


class UnknownVariableWarning(PipelineWarning):
    """An action refers to a variable that its provider does not give: `unknown-variable`.

    >>> with pytest.warns(UnknownVariableWarning):  # doctest: +SKIP
    ...     cpjob.add_pipeline("template.yaml")
    """


class IneffectivePolicyWarning(PipelineWarning):
    """A statement of a role's policy matches nothing: `ineffective-policy`.

    >>> with pytest.warns(IneffectivePolicyWarning):  # doctest: +SKIP
    ...     cpjob.add_pipeline("template.yaml")
    """
