"""What the stubs of the lessons share."""

from collections.abc import Callable
from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Number: TypeAlias = float | Array  # one for all weights, or one for each run
Loss: TypeAlias = Callable[[Array], Array]
Gradient: TypeAlias = Callable[[Array], Array]
Schedule: TypeAlias = Callable[[Any], Any]  # of t, a whole number or an array of them
