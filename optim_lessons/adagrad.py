"""Lesson 06: AdaGrad, a step size of its own for every coordinate."""

import numpy as np


def adagrad(w, g, v=0.0, *, lr=0.01, eps=1e-10):
    """Divide each coordinate's step by the size of all its gradients so far: rare features learn fast.

        v ← v + g²
        w ← w − lr·g / (√v + ε)

    w, g: weights and gradient, same shape.  v: sum of squared gradients, starts at 0.
    lr: length of the first step.  eps: keeps 0/0 away, in units of the gradient.
    Returns the new w and v. PyTorch's form; optax and Keras put eps inside the root and start v at 0.1.
    Source: Duchi, Hazan, Singer 2011, https://jmlr.org/papers/v12/duchi11a.html
    """
    v = v + g**2
    w = w - lr * g / (np.sqrt(v) + eps)
    return w, v
