"""Two readings of a Lambda action's parameters: as it worked once, and as AWS may send them.

The action's author is to write `{"bucket": "my-site", "prefix": "docs"}` into its user parameters.
"""

from __future__ import annotations

import json
from typing import Any


class ParametersError(Exception):
    """The user parameters do not say where to publish to."""


def naive_target(event: Any) -> str:
    """Give the S3 URI to publish to, of an event like the one it was tried with."""
    configuration = event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]
    parameters = json.loads(configuration["UserParameters"])
    return f"s3://{parameters['bucket']}/{parameters['prefix']}"


def target(event: Any) -> str:
    """Give the S3 URI to publish to, of any event.

    Raises:
        ParametersError: there are no parameters, or others than agreed.
    """
    configuration = event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]
    text = configuration.get("UserParameters", "")
    try:
        parameters = json.loads(text)
    except ValueError:
        raise ParametersError("the user parameters are not JSON") from None
    if not isinstance(parameters, dict) or not {"bucket", "prefix"} <= parameters.keys():
        raise ParametersError("the user parameters have no bucket or no prefix")
    return f"s3://{parameters['bucket']}/{parameters['prefix']}"
