"""Lesson 08: Adam, momentum over RMSProp with both averages corrected; and AMSGrad, its repair."""

import numpy as np


def adam(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Step by the average gradient over its typical size: about lr per coordinate, whatever the scale.

        t ← t + 1
        m ← β₁·m + (1 − β₁)·g          m̂ = m / (1 − β₁ᵗ)
        v ← β₂·v + (1 − β₂)·g²         v̂ = v / (1 − β₂ᵗ)
        w ← w − lr·m̂ / (√v̂ + ε)

    w, g: weights and gradient, same shape.  m, v: averages of g and g², start at 0.  t: steps taken.
    lr: step size, in units of w.  beta1, beta2: memories, in [0, 1).  eps: in units of the gradient.
    Returns the new w, m, v and t. PyTorch's form.
    Source: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980
    """
    t = t + 1
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * m_hat / (np.sqrt(v_hat) + eps)
    return w, m, v, t


def amsgrad(w, g, m=0.0, v=0.0, v_max=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam that divides by the root of the largest v so far: a rare large gradient is not forgotten.

        as Adam, with  v_max ← max(v_max, v)  and  v̂ = v_max / (1 − β₂ᵗ)

    v_max: largest v so far, starts at 0; all else as for `adam`. Returns the new w, m, v, v_max and t.
    PyTorch's form; optax takes the maximum of the corrected v̂, the paper corrects nothing.
    Source: Reddi, Kale, Kumar 2018, https://arxiv.org/abs/1904.09237
    """
    t = t + 1
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    v_max = np.maximum(v_max, v)
    m_hat = m / (1 - beta1**t)
    v_hat = v_max / (1 - beta2**t)
    w = w - lr * m_hat / (np.sqrt(v_hat) + eps)
    return w, m, v, v_max, t
