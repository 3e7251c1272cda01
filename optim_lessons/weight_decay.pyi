from optim_lessons._words import Array, Number

def adamw(
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
    weight_decay: Number = 0.01,
) -> tuple[Array, Array, Array, int]: ...
