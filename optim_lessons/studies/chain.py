"""The chain of weights on which no rule is fast, and Nesterov's guarantee of 1983.

above, grad, best, L = chain()
path(nesterov, grad, np.zeros(CHAIN), 90, lr=1 / L, beta=growing)
unreachable(np.arange(91))               # what no rule falls below
"""

import numpy as np

from optim_lessons.lab.path import path
from optim_lessons.nesterov import nesterov

CHAIN = 100  # weights of the chain


def chain():
    """Return f − minimum, gradient, the minimum and L of the chain: 100 weights, each tied to the next.

    f = ½·(w₁² + Σ (wᵢ − wᵢ₊₁)² + w₁₀₀²) − w₁. Source: Nesterov 2018, section 2.1.2.
    """
    A = 2 * np.eye(CHAIN) - np.eye(CHAIN, k=1) - np.eye(CHAIN, k=-1)
    pull = np.eye(CHAIN)[0]
    best = np.linalg.solve(A, pull)

    def above(w):
        return 0.5 * ((w - best) @ A * (w - best)).sum(axis=-1)

    return above, lambda w: w @ A - pull, best, 4.0


def unreachable(steps):
    """Return the chain's f − minimum that no rule can fall below, which moves in the span of its gradients.

    After t steps only the first t weights can have moved; best for them is a chain of t weights.
    """
    t = np.minimum(steps, CHAIN)
    return 0.5 * (CHAIN / (CHAIN + 1) - t / (t + 1))


def growing(t):
    """Return the beta of the 1983 guarantee at step t = 0, 1, ...: t/(t + 3)."""
    return t / (t + 3)


def with_memories(lr, beta, steps):
    """Return the chain's f − minimum at steps 1, 2, ... on three walks, shape (steps, 3), and the promise.

    The walks have no memory, a constant beta, and the growing one, for which the promise is made, shape
    (steps,): 2·|w₀ − minimum|²/(lr·(t + 1)²), if lr is at most 1/L.
    """
    above, grad, best, _ = chain()

    def betas(t):
        return np.array([[0.0], [beta], [growing(t)]])

    ws = path(nesterov, grad, np.zeros((3, CHAIN)), steps, lr=lr, beta=betas)
    return above(ws)[1:], 2 * (best @ best) / (lr * (np.arange(1, steps + 1) + 1) ** 2)
