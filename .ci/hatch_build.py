"""The package page: its links, and the README as it reads outside the repository.

Hatch runs this at each build ([tool.hatch.metadata.hooks.custom] in pyproject.toml). The one value
to set is `repository` there, the address of the public repository. All project URLs follow from it,
and so do the README's links to files, which are relative in the repository. While it is empty there
are no URLs, and those links become plain text, so that no link on the package page is broken.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE_LINK = re.compile(r"\[([^\]]+)\]\((?!\w+:|#)([^)\s]+)\)")


class PackagePage(MetadataHookInterface):
    """Hatch's hook that fills in `urls` and `readme`."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add what `dynamic` in pyproject.toml leaves to this hook."""
        repository = self.config["repository"].rstrip("/")
        readme = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["urls"] = project_urls(repository)
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": readme_outside(readme, repository, f"v{metadata['version']}"),
        }


def project_urls(repository: str) -> dict[str, str]:
    """Return the links beside the package page; none without a repository."""
    if not repository:
        return {}
    return {
        "Documentation": f"{repository}/blob/main/docs/index.md",
        "Source": repository,
        "Changelog": f"{repository}/blob/main/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }


def readme_outside(readme: str, repository: str, tag: str) -> str:
    """Return the README with its relative links made absolute, or plain text without a repository.

    Code blocks stay as they are, and so do links to headings of the README itself.
    """
    link = rf"[\1]({repository}/blob/{tag}/\2)" if repository else r"\1"
    parts = re.split(r"(^```.*?^```$)", readme, flags=re.DOTALL | re.MULTILINE)
    return "".join(
        part if part.startswith("```") else RELATIVE_LINK.sub(link, part) for part in parts
    )
