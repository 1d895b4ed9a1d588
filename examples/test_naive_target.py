"""Whatever AWS could send, drawn by Hypothesis, finds what the one tried event did not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from naive_target import ParametersError, naive_target, target

from pytest_cpjob import LambdaEvent, LambdaEventFactory
from pytest_cpjob.strategies import lambda_events

AGREED = {"bucket": "my-site", "prefix": "docs"}


@pytest.mark.parametrize("function", [naive_target, target])
def test_the_event_it_was_tried_with(
    cpjob_event_factory: LambdaEventFactory, function: object
) -> None:
    assert callable(function)
    assert function(cpjob_event_factory(user_parameters=AGREED)) == "s3://my-site/docs"


@pytest.mark.xfail(raises=(KeyError, TypeError, ValueError), strict=True, reason="it is naive")
@settings(report_multiple_bugs=False)  # without this line it is a report of six
@given(event=lambda_events())
def test_the_naive_one_is_found_out(event: LambdaEvent) -> None:
    naive_target(event)


@given(event=lambda_events())
def test_the_careful_one_says_of_any_other_event_what_is_wrong(event: LambdaEvent) -> None:
    with pytest.raises(ParametersError):
        target(event)


@given(event=lambda_events(user_parameters=AGREED))
def test_the_careful_one_reads_whatever_else_the_job_is(event: LambdaEvent) -> None:
    assert target(event) == "s3://my-site/docs"
