from optim_lessons._words import Array, Number

def adagrad(
    w: Array, g: Array, v: Number = 0.0, *, lr: Number = 0.01, eps: Number = 1e-10
) -> tuple[Array, Array]: ...
