"""Lesson 04: momentum (the heavy ball), which remembers the way it came."""


def momentum(w, g, m=0.0, *, lr=0.01, beta=0.9):
    """Keep rolling: what all gradients agree on adds up, what they disagree on cancels.

        m ← β·m + g
        w ← w − lr·m

    w, g: weights and gradient, same shape.  m: decaying sum of gradients, starts at 0.
    lr: step size; a steady gradient is followed at lr/(1 − β).  beta: memory, in [0, 1).
    Returns the new w and m. PyTorch and JAX use this form; the damped one adds (1 − β)·g.
    Source: Polyak 1964, USSR Comp. Math. 4(5), https://doi.org/10.1016/0041-5553(64)90137-5
    """
    m = beta * m + g
    w = w - lr * m
    return w, m
