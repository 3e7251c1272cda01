"""Print, as constraints for pip, the oldest version of each library that pyproject.toml allows."""

import re
import tomllib
from itertools import chain
from pathlib import Path

text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
project = tomllib.loads(text)["project"]
wanted = {*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())}
for requirement in sorted(wanted):
    if found := re.fullmatch(r"([\w.-]+)(?:\[\w,]+\])?>=([\d.]+)", requirement):
        print(f"{found[1]}=={found[2]}")
