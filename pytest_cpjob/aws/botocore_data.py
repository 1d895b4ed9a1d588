"""botocore's data folder: the models of services, the list of partitions."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_cpjob.errors import CpjobError


def botocore_data() -> Path:
    """Return botocore's data folder, found without importing botocore (which costs 170 ms).

    Raises:
        CpjobError: botocore is not installed.
    """
    spec = find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise CpjobError(
            "pytest-cpjob reads CodePipeline's rules from botocore, which is not installed.\n"
            "- way out: pip install botocore"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def read_by_boto3(folder: Path, name: str) -> Any:
    """Return what boto3's default session has read of a file of the folder; None if it has not.

    A module of handlers makes its clients by that session, whose loader keeps what it reads. To
    read CodePipeline's model once more takes as long as to import ten modules. Who changes that
    model in place, for all of the process's clients, changes it here too.

    Args:
        name: the file's, as botocore names it: `codepipeline/2015-07-09/service-2`.
    """
    session = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    if session is None:
        return None
    try:
        read = session._session.get_component("data_loader")._cache
        content, path = read["load_data_with_path", name]
    except (AttributeError, LookupError, TypeError, ValueError):  # not read, or a newer botocore
        return None
    # A user's own folder of models comes first; what there is in addition is written into it.
    is_botocores = path == os.path.join(folder, *name.split("/"))
    has_more = ("load_data_with_path", f"{name}.sdk-extras") in read
    return content if is_botocores and not has_more else None
