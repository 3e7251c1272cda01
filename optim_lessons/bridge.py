"""The bridge: what other libraries compute under the same names, and how our rules lead there.

Where a library's rule is one of ours with other numbers, it is written so: that is the bridge. Each function
takes the steps of `path`, as any rule does, and is tested against that library's own numbers.
The other way, `torch_optimizer` puts a rule of the course, or your own, into a PyTorch training loop.

Leans on: lesson modules, lab.
Leaned on by: studies, course/exercises.
"""

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.beyond_adam import orthogonalised
from optim_lessons.lab.frameworks import torch_optimizer as torch_optimizer
from optim_lessons.momentum import momentum


def momentum_damped(w, g, m=0.0, *, lr=0.01, beta=0.9, dampening=0.9):
    """Momentum whose m takes in only a part of each gradient: with dampening = beta, m is an average.

        m ← β·m + (1 − dampening)·g        w ← w − lr·m

    It is `momentum` at lr·(1 − dampening). PyTorch leaves the first gradient undamped: start m at
    dampening/β·g to get the same. Source: PyTorch's SGD(dampening=...); optax.ema followed by a scale.
    """
    return momentum(w, (1 - dampening) * g, m, lr=lr, beta=beta)


def momentum_lr_inside(w, g, u=0.0, *, lr=0.01, beta=0.9):
    """Momentum that remembers steps, not gradients: each lr stays with its own gradient.

        u ← β·u − lr·g        w ← w + u

    At constant lr it is `momentum` with u = −lr·m. When lr falls, old steps go on at their old length,
    where `momentum` shortens them at once. Source: Keras's SGD, Stanford's CS231n; Sutskever et al. 2013.
    """
    u = beta * u - lr * g
    return w + u, u


def nesterov_lr_inside(w, g, u=0.0, *, lr=0.01, beta=0.9):
    """Nesterov's momentum with lr inside: Sutskever's look-ahead form, seen from the look-ahead point.

        u ← β·u − lr·g        w ← w + β·u − lr·g

    At constant lr it is `nesterov` with u = −lr·m. `look_behind` gives Sutskever's own point.
    Source: Keras's SGD(nesterov=True); Bengio et al. 2013, https://arxiv.org/abs/1212.0901
    """
    u = beta * u - lr * g
    return w + beta * u - lr * g, u


def look_behind(w, u, *, beta=0.9):
    """Return the point θ = w − β·u from which Sutskever's form looked ahead to w.

        u ← β·u − lr·∇f(θ + β·u)        θ ← θ + u

    u: of `nesterov_lr_inside`, or −lr·m of `nesterov` at constant lr.
    Source: Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html
    """
    return w - beta * u


def adagrad_eps_inside(w, g, v=0.0, *, lr=0.01, eps=1e-6):
    """AdaGrad with eps inside the root: w ← w − lr·g / √(v + ε). eps is in units of the gradient squared.

    It is `adagrad` with v started at ε and its own eps at 0.
    Source: Dive into Deep Learning, chapter "AdaGrad".
    """
    v = v + g**2
    return w - lr * g / np.sqrt(v + eps), v


def adagrad_started(w, g, v=0.1, *, lr=0.01, eps=1e-7):
    """AdaGrad with eps inside the root and v started at 0.1, which tames the first steps.

    Source: optax.adagrad, Keras's Adagrad; the start is their initial_accumulator_value.
    """
    return adagrad_eps_inside(w, g, v, lr=lr, eps=eps)


def rmsprop_eps_inside(w, g, v=0.0, *, lr=0.01, beta=0.9, eps=1e-8):
    """RMSProp with eps inside the root, in units of the gradient squared: 1e-8 acts as 1e-4 does outside.

        v ← β·v + (1 − β)·g²        w ← w − lr·g / √(v + ε)

    Source: optax.rmsprop (its default), Keras's RMSprop; Dive into Deep Learning, chapter "RMSProp".
    """
    v = beta * v + (1 - beta) * g**2
    return w - lr * g / np.sqrt(v + eps), v


def adam_eps_hat(w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-7):
    """Adam with its two corrections folded into lr, so that eps meets the uncorrected √v.

        w ← w − lr·√(1 − β₂ᵗ)/(1 − β₁ᵗ) · m / (√v + ε)

    It is `adam` whose eps is ε/√(1 − β₂ᵗ): 32 times as large at the first step, the same in the end.
    Source: Keras's and TensorFlow's Adam; Kingma and Ba 2015, end of section 2.
    """
    return adam(w, g, m, v, t, lr=lr, beta1=beta1, beta2=beta2, eps=eps / (1 - beta2 ** (t + 1)) ** 0.5)


def adam_uncorrected(w, g, m=0.0, v=0.0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam without bias correction: its first steps are far too long, at the defaults up to 6.57 times.

    Source: MLX's Adam (bias_correction=False, its default).
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return w - lr * m / (np.sqrt(v) + eps), m, v


def amsgrad_of_corrected(w, g, m=0.0, v=0.0, v_max=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """AMSGrad that takes the maximum of the corrected v̂, so an overlarge early v̂ is kept for ever.

        v_max ← max(v_max, v / (1 − β₂ᵗ))        w ← w − lr·m̂ / (√v_max + ε)

    Source: optax.amsgrad; `amsgrad` is PyTorch's, which corrects after the maximum.
    """
    t = t + 1
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    v_max = np.maximum(v_max, v / (1 - beta2**t))
    w = w - lr * m / (1 - beta1**t) / (np.sqrt(v_max) + eps)
    return w, m, v, v_max, t


def muon_corrected(w, g, m=0.0, t=0, *, lr=1e-3, beta=0.95, weight_decay=0.0):
    """Muon whose average and newest gradient are each corrected for their start, before they are mixed.

        t ← t + 1        m ← β·m + (1 − β)·g
        O = Newton-Schulz of  β·m / (1 − βᵗ⁺¹) + (1 − β)·g / (1 − βᵗ)

    Newton-Schulz does not see the length of what it gets, only the mix: after the first few dozen steps this
    is `muon`. optax stores matrices as inputs × outputs: it is this with both arrays turned.
    Source: optax.contrib.muon; its eps is added to the norm, 1e-8, where PyTorch has a least norm of 1e-7.
    """
    t = t + 1
    m = beta * m + (1 - beta) * g
    mixed = beta * m / (1 - beta ** (t + 1)) + (1 - beta) * g / (1 - beta**t)
    O = orthogonalised(mixed)
    rows, cols = w.shape[-2:]
    w = w - lr * weight_decay * w - lr * max(1, rows / max(1, cols)) ** 0.5 * O
    return w, m, t


muon_corrected.axes = 2  # as `muon`


def adam_decay_without_lr(
    w, g, m=0.0, v=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=1e-4
):
    """Adam with weight decay beside the step, not multiplied by lr: w ← (Adam's new w) − λ·w.

    PyTorch's AdamW multiplies by lr: it is this with weight_decay = lr·λ.
    Source: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101
    """
    new_w, *state = adam(w, g, m, v, t, lr=lr, beta1=beta1, beta2=beta2, eps=eps)
    return new_w - weight_decay * w, *state
