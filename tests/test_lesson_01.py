"""Lesson 01: its pictures say and show what is so."""

import numpy as np
import pytest

from optim_lessons.gradient_descent import best_lr
from optim_lessons.lab.explore import explore
from optim_lessons.pictures import gradient_descent as picture


def test_raw_and_standardised_inputs_keep_their_colours_through_the_section():
    raw, scaled = np.array([1e-3, 1e3]), np.array([0.1, 10.0])
    dots = picture.curvatures_before_and_after(raw, scaled).figure.axes[0].lines
    colours = {
        name: line.get_color()
        for name, values in (("raw", raw), ("standardised", scaled))
        for line in dots
        if np.array_equal(line.get_xdata(), values)
    }
    race = picture.loss_curves({"raw": raw, "standardised": scaled}, "").figure.axes[0].lines
    assert {line.get_label(): line.get_color() for line in race} == colours
    assert len(set(colours.values())) == 2


@pytest.mark.parametrize("condition", [1.0, 30.0])
def test_at_the_best_lr_no_direction_is_called_slower(condition):
    explorer = explore(picture.two_factors(), lr=(0.01, 2.2))
    best = best_lr(np.array([1 / condition, 1.0]))
    explorer.set(condition=condition, lr=best)
    assert explorer.reading.startswith("Both directions are equally fast")
    if condition > 1:
        for lr, name in ((0.9 * best, "flat"), (1.02 * best, "steep")):
            explorer.set(lr=lr)
            assert explorer.reading.startswith(f"The {name} direction is slower")
