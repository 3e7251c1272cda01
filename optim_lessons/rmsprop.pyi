from optim_lessons._words import Array, Number

def rmsprop(
    w: Array, g: Array, v: Number = 0.0, *, lr: Number = 0.01, beta: Number = 0.99, eps: Number = 1e-08
) -> tuple[Array, Array]: ...
