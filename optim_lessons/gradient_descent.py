"""Lesson 01: gradient descent, its largest stable step, and the shape of the loss that sets it."""

import numpy as np


def gradient_descent(w, g, *, lr=0.01):
    """Step straight downhill, by a length in proportion to the slope.

        w ← w − lr·g

    w, g: weights and gradient, same shape.  lr: step size, in units of w²/loss.
    Returns the new w. There is no state to carry.
    PyTorch: SGD. Source: Cauchy 1847, Comptes Rendus 25, 536-538.
    """
    return w - lr * g


def contraction(lr, curvature):
    """Return the factor by which one step shrinks the distance to the minimum of ½·curvature·w².

    |1 − lr·curvature|      below 1: closer; above 1: further away
    """
    return np.abs(1 - lr * curvature)


def largest_stable_lr(curvature):
    """Return 2/L: on a quadratic whose largest curvature is L, descent converges for lr below it."""
    return 2 / np.max(curvature)


def best_lr(curvatures):
    """Return 2/(μ + L), the lr that shrinks the flattest (μ) and the steepest (L) direction equally fast."""
    return 2 / (np.min(curvatures) + np.max(curvatures))


def condition_number(hessian):
    """Return κ = L/μ, the largest eigenvalue of a symmetric positive matrix over the smallest."""
    curvatures = np.linalg.eigvalsh(hessian)
    return curvatures[..., -1] / curvatures[..., 0]


def sharpness(grad, w, iterations=50, seed=0, h=1e-4):
    """Return the largest curvature of a loss at w, from its gradient alone.

    Power iteration on Hessian-vector products, each a central difference of two gradients:

        H·u ≈ (grad(w + h·u) − grad(w − h·u)) / 2h

    w: shape (..., n), float64; the result has shape (...). Source: Pearlmutter 1994 (the product),
    Cohen et al. 2021 (why sharpness matters), https://arxiv.org/abs/2103.00065
    """
    u = np.asarray(np.random.default_rng(seed).standard_normal(w.shape[-1]), like=w) + np.zeros_like(w)
    for _ in range(iterations):
        u = u / np.linalg.norm(u, axis=-1, keepdims=True)
        Hu = (grad(w + h * u) - grad(w - h * u)) / (2 * h)
        curvature, u = (u * Hu).sum(axis=-1), Hu
    return curvature
