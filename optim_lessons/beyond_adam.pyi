from collections.abc import Callable, Iterable
from typing import Any

from optim_lessons._words import Array, Number

COEFFICIENTS: tuple[float, float, float]

def lion(
    w: Array,
    g: Array,
    m: Number = 0.0,
    *,
    lr: Number = 0.0001,
    beta1: Number = 0.9,
    beta2: Number = 0.99,
    weight_decay: Number = 0.01,
) -> tuple[Array, Array]: ...
def shampoo(
    w: Array,
    g: Array,
    m: Number = 0.0,
    L: Number = 0.0,
    R: Number = 0.0,
    t: int = 0,
    *,
    lr: Number = 0.001,
    beta1: Number = 0.9,
    beta2: Number = 0.95,
    eps: Number = 1e-10,
    weight_decay: Number = 0.0,
) -> tuple[Array, Array, Array, Array, int]: ...
def muon(
    w: Array,
    g: Array,
    m: Number = 0.0,
    *,
    lr: Number = 0.001,
    beta: Number = 0.95,
    weight_decay: Number = 0.1,
) -> tuple[Array, Array]: ...
def orthogonalised(
    G: Array, steps: int = 5, coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315)
) -> Array: ...
def on_singular_value(
    s: Number, steps: int = 5, coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315)
) -> Number: ...
def inverse_fourth_root(M: Array, eps: Number = 1e-10) -> Array: ...
def schedule_free(
    w: Array,
    g: Array,
    dz: Number = 0.0,
    dx: Number = 0.0,
    total: Number = 0.0,
    *,
    lr: Number = 0.1,
    beta: Number = 0.9,
    weight_decay: Number = 0.0,
) -> tuple[Array, Array, Array, Number]: ...
def schedule_free_adam(
    w: Array,
    g: Array,
    dz: Number = 0.0,
    dx: Number = 0.0,
    total: Number = 0.0,
    v: Number = 0.0,
    t: int = 0,
    *,
    lr: Number = 0.0025,
    beta1: Number = 0.9,
    beta2: Number = 0.999,
    eps: Number = 1e-08,
    weight_decay: Number = 0.0,
) -> tuple[Array, Array, Array, Number, Array, int]: ...
def averaged(w: Array, dz: Number = 0.0, dx: Number = 0.0, *others: Any) -> Array: ...
def by_layer(
    rule: Callable[..., Any], rest: Callable[..., Any], model: Any, layers: Iterable[int] | None = None
) -> Callable[..., tuple[Any, ...]]: ...
