"""Lesson 05: Nesterov's momentum, which looks ahead before it corrects."""


def nesterov(w, g, m=0.0, *, lr=0.01, beta=0.9):
    """Step with the momentum that the next step will have, so that overshoot is seen earlier.

        m ← β·m + g
        w ← w − lr·(g + β·m)

    w, g: weights and gradient, same shape.  m: decaying sum of gradients, starts at 0.
    lr: step size.  beta: memory, in [0, 1). Returns the new w and m.
    PyTorch's form. Here w is the look-ahead point of Sutskever's form, at constant lr and beta.
    Source: Nesterov 1983, Soviet Math. Dokl. 27(2); Sutskever et al. 2013,
    https://proceedings.mlr.press/v28/sutskever13.html
    """
    m = beta * m + g
    w = w - lr * (g + beta * m)
    return w, m
