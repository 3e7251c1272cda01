"""Where the course's own files are: in the source tree if there is one, else inside the installed package."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def source_tree() -> Path | None:
    """Return the folder of the clone that this package runs from, or None if a wheel was installed."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "notebooks").is_dir() else None


def shipped(folder: str) -> Path:
    """Return the path of a folder that travels with the package: "notebooks" or "assets"."""
    return (source_tree() or _PACKAGE) / folder
