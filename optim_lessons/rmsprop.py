"""Lesson 07: RMSProp, AdaGrad that forgets."""

import numpy as np


def rmsprop(w, g, v=0.0, *, lr=0.01, beta=0.99, eps=1e-8):
    """Divide each coordinate's step by the recent size of its gradients.

        v ← β·v + (1 − β)·g²
        w ← w − lr·g / (√v + ε)

    w, g: weights and gradient, same shape.  v: decaying average of squared gradients, starts at 0.
    lr: step size, in units of w.  beta: memory, in [0, 1).  eps: in units of the gradient.
    Returns the new w and v. PyTorch's form; optax (by default) and Keras put eps inside the root.
    Source: Tieleman and Hinton 2012, Coursera, Neural Networks for Machine Learning, lecture 6e.
    """
    v = beta * v + (1 - beta) * g**2
    w = w - lr * g / (np.sqrt(v) + eps)
    return w, v
