"""Lesson 10: AdamW, Adam with weight decay beside the step instead of inside the gradient."""

import numpy as np


def adamw(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
    """Step as Adam does, and shrink every weight by the same part, lr·weight_decay.

        t ← t + 1
        m ← β₁·m + (1 − β₁)·g          m̂ = m / (1 − β₁ᵗ)
        v ← β₂·v + (1 − β₂)·g²         v̂ = v / (1 − β₂ᵗ)
        w ← w − lr·weight_decay·w − lr·m̂ / (√v̂ + ε)

    weight_decay: the part per step is lr times this.  All else as for `adam`. Returns w, m, v and t.
    PyTorch's form (default 0.01); optax has the same with 1e-4; the paper's decay is not times lr.
    Source: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101
    """
    t = t + 1
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * weight_decay * w - lr * m_hat / (np.sqrt(v_hat) + eps)
    return w, m, v, t
