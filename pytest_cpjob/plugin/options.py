"""The options of the ini file, refused by the names that they have there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

FLAGS: Final = ("cpjob_own_role", "cpjob_aws_env")


def check_flags(config: pytest.Config) -> None:
    """Refuse what is no flag, before a test runs.

    Raises:
        pytest.UsageError: naming the option.
    """
    for name in FLAGS:
        try:
            config.getini(name)
        except (pytest.UsageError, TypeError, ValueError) as error:  # which: by pytest's version
            raise pytest.UsageError(f"{name}: {error}; write true or false") from None


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the ini file's options by their names elsewhere; a value of None is not given.

    Raises:
        OptionError: a value that its option cannot have; the text names the ini file's option.
    """
    layer = {name.removeprefix("cpjob_"): value for name, value in values.items()}
    if any(value is not None for value in layer.values()):
        _check(layer)
    return layer


def _check(layer: Mapping[str, Any]) -> None:
    from pytest_cpjob.documents.job_arguments import account_id_checked, region_checked
    from pytest_cpjob.settings import OptionError, resolve

    try:
        settings = resolve([layer])
        region_checked(settings.region)
        account_id_checked(settings.account_id)
    except ValueError as error:
        # Each of these texts begins with its option's name.
        raise OptionError(f"cpjob_{error}") from None
