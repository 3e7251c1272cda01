"""What the package says of itself where it is built: the README, and addresses if somebody gives one.

    OPTIM_LESSONS_URL=https://HOST/OWNER/REPOSITORY python -m build

The course does not know where it lives. Without that variable it names no address. With it, the package has
links to its home, and the README's links and pictures lead there: an index shows it without the files around.
"""

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Metadata(MetadataHookInterface):
    """Sets the README and the addresses."""

    def update(self, metadata):
        """Set them in the project's metadata, in place."""
        address = os.environ.get("OPTIM_LESSONS_URL", "").rstrip("/")
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": with_address(text, address)}
        if address:
            metadata["urls"] = {"Homepage": address, "Issues": f"{address}/issues"}


def with_address(text, address):
    """Return Markdown whose relative links and pictures lead to a repository; as it is without an address."""
    if not address:
        return text
    kinds = {"!": "raw", "": "blob"}
    return re.sub(
        r"(!?)(\[[^\]]*\]\()(?![a-z]+:|#)([^)]+\))",
        lambda link: f"{link[1]}{link[2]}{address}/{kinds[link[1]]}/main/{link[3]}",
        text,
    )
