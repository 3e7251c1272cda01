"""KaTeX (MIT licence), which sets the formulas: one package of npm's, got once and kept."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from optim_lessons.site.recordings import NotBuilt

VERSION = "0.16.22"
PACKAGE = f"katex-{VERSION}.tgz"
_SHA512 = "XCHRdUw4lf3SKBaJe4EvgqIuWwkPSo9XoeO8GjQW94Bp7TWv9hNhzZjZ+OH9yf1UmLygb7DIT5GSFQiyt16zYg=="
_WANTED = ("package/dist/katex.min.js", "package/dist/katex.min.css", "package/LICENSE")


def put_katex(folder, cache, given=None):
    """Put KaTeX's script, style sheet, fonts and licence into a folder.

    cache: a folder in which npm's package is kept.  given: a file that somebody has got already. Raises
    NotBuilt if the package is not there and cannot be got, or is another one.
    """
    package = Path(given) if given else cache / PACKAGE
    if not package.is_file():
        if given:
            raise NotBuilt(f"there is no file {str(package)!r}. `npm pack katex@{VERSION}` makes it")
        get_package(package)
    try:
        digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    except OSError as error:
        raise NotBuilt(f"{str(package)!r} cannot be read: {error.strerror}") from None
    if digest != _SHA512:
        raise NotBuilt(f"{str(package)!r} is not npm's {PACKAGE}: remove it, or get it anew")
    with tarfile.open(package) as archive:
        for member in archive:
            name = member.name.removeprefix("package/dist/").removeprefix("package/")
            if member.name in _WANTED or (name.startswith("fonts/") and name.endswith(".woff2")):
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.extractfile(member).read())


def get_package(package):
    """Get npm's package, by npm, and put it at this path. Raises NotBuilt if that fails."""
    beside = str(Path(sys.executable).parent)
    npm = shutil.which("npm", path=beside) or shutil.which("npm")
    if not npm:
        raise NotBuilt(
            'there is no npm, which gets the formulas\' script. Type: pip install "optim_lessons[site]"'
        )
    package.parent.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join([beside, os.environ.get("PATH", "")])
    with tempfile.TemporaryDirectory(dir=package.parent) as folder:
        command = [npm, "pack", f"katex@{VERSION}", "--silent", "--pack-destination", folder]
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"PATH": path}, cwd=folder, check=False
        )
        if done.returncode:
            raise NotBuilt(
                f"npm could not get katex@{VERSION}, which sets the formulas: is the network there?\n"
                f"{done.stderr.strip()}\n"
                f"Where it is not: --katex FILE takes what `npm pack katex@{VERSION}` makes elsewhere"
            )
        os.replace(Path(folder) / PACKAGE, package)
