"""Arrays that are worked out once and handed out again and again: nobody may change a number of them."""

from typing import Any

import numpy as np


def kept(*arrays: np.ndarray) -> Any:
    """Return one array or several, which from now on cannot be written to."""
    for x in arrays:
        x.flags.writeable = False
    return arrays if len(arrays) > 1 else arrays[0]
