from optim_lessons._words import Array, Number
from optim_lessons.lab.frameworks import torch_optimizer as torch_optimizer

def momentum_damped(
    w: Array, g: Array, m: Number = 0.0, *, lr: Number = 0.01, beta: Number = 0.9, dampening: Number = 0.9
) -> tuple[Array, Array]: ...
def momentum_lr_inside(
    w: Array, g: Array, u: Number = 0.0, *, lr: Number = 0.01, beta: Number = 0.9
) -> tuple[Array, Array]: ...
def nesterov_lr_inside(
    w: Array, g: Array, u: Number = 0.0, *, lr: Number = 0.01, beta: Number = 0.9
) -> tuple[Array, Array]: ...
def look_behind(w: Array, u: Array, *, beta: Number = 0.9) -> Array: ...
def adagrad_eps_inside(
    w: Array, g: Array, v: Number = 0.0, *, lr: Number = 0.01, eps: Number = 1e-06
) -> tuple[Array, Array]: ...
def adagrad_started(
    w: Array, g: Array, v: Number = 0.1, *, lr: Number = 0.01, eps: Number = 1e-07
) -> tuple[Array, Array]: ...
def rmsprop_eps_inside(
    w: Array, g: Array, v: Number = 0.0, *, lr: Number = 0.01, beta: Number = 0.9, eps: Number = 1e-08
) -> tuple[Array, Array]: ...
def adam_eps_hat(
    w: Array,
    g: Array,
    m: Number = 0.0,
    v: Number = 0.0,
    t: int = 0,
    *,
    lr: Number = 0.001,
    beta1: Number = 0.9,
    beta2: Number = 0.999,
    eps: Number = 1e-07,
) -> tuple[Array, Array, Array, int]: ...
def adam_uncorrected(
    w: Array,
    g: Array,
    m: Number = 0.0,
    v: Number = 0.0,
    *,
    lr: Number = 0.001,
    beta1: Number = 0.9,
    beta2: Number = 0.999,
    eps: Number = 1e-08,
) -> tuple[Array, Array, Array]: ...
def amsgrad_of_corrected(
    w: Array,
    g: Array,
    m: Number = 0.0,
    v: Number = 0.0,
    v_max: Number = 0.0,
    t: int = 0,
    *,
    lr: Number = 0.001,
    beta1: Number = 0.9,
    beta2: Number = 0.999,
    eps: Number = 1e-08,
) -> tuple[Array, Array, Array, Array, int]: ...
def muon_corrected(
    w: Array,
    g: Array,
    m: Number = 0.0,
    t: int = 0,
    *,
    lr: Number = 0.001,
    beta: Number = 0.95,
    weight_decay: Number = 0.0,
) -> tuple[Array, Array, int]: ...
def adam_decay_without_lr(
    w: Array,
    g: Array,
    m: Number = 0.0,
    v: Number = 0.0,
    t: int = 0,
    *,
    lr: Number = 0.001,
    beta1: Number = 0.9,
    beta2: Number = 0.999,
    eps: Number = 1e-08,
    weight_decay: Number = 0.0001,
) -> tuple[Array, Array, Array, int]: ...
