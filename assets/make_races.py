"""Run the races of lesson 11 by their protocol and write assets/races.npz.

    python assets/make_races.py

It takes about six minutes on two cores. All seeds are fixed: the same machine writes the same numbers;
another one's differ in the last digits, and where a learning rate is too large, in more.
"""

import time
from pathlib import Path

import numpy as np

from optim_lessons.choosing import choose
from optim_lessons.lab.races import race
from optim_lessons.studies import protocol, unknown

OUT = Path(__file__).parent / "races.npz"


def main():
    """Run every problem with every schedule, then the unknown problem's grid."""
    begun, rows = time.perf_counter(), []
    for name, problem in protocol.problems().items():
        start = time.perf_counter()
        rows.append([one(problem, schedule) for schedule in protocol.SCHEDULES])
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    arrays = {key: stacked(key, rows) for key in protocol.FIELDS}
    arrays |= unknown.run_grid()
    np.savez_compressed(OUT, **{key: values.astype(np.float32) for key, values in arrays.items()})
    print(f"{OUT.name}: {OUT.stat().st_size:,} bytes after {time.perf_counter() - begun:.0f} s")


def one(problem, schedule):
    """Return rule's name → what `protocol.FIELDS` names, for one problem and schedule."""
    field = protocol.field_of(schedule)
    tuned = race(problem, field, seeds=protocol.TUNING_SEEDS, progress=False)
    swept = race(problem, protocol.sweep_of(schedule), seeds=protocol.TUNING_SEEDS, progress=False)
    tuning = {name: result.history["validation_loss"][-1] for name, result in tuned.items()}
    chosen = {name: choose(losses) for name, losses in tuning.items()}
    winners = {name: field[name].only([best or 0]) for name, best in chosen.items()}
    seeds = list(protocol.FRESH_SEEDS)
    fresh = race(problem, winners, seeds=seeds, progress=False)
    opened = race(problem, winners, seeds=seeds, part="test", progress=False)
    return {
        name: {
            "tuning": tuning[name],
            "sweep": swept[name].history["validation_loss"][-1],
            "curve": fresh[name].history["validation_loss"][:, 0],
            "train_loss": fresh[name].history["train_loss"][-1, 0],
            "test_loss": opened[name].history["test_loss"][-1, 0],
            "test_accuracy": opened[name].history.get("test_accuracy", nothing(len(seeds)))[-1, 0],
        }
        for name in field
    }


def nothing(seeds):
    """Return the accuracy of a problem without classes."""
    return np.full((1, 1, seeds), np.nan)


def stacked(key, rows):
    """Return one array of a field over problems, schedules and rules; shorter curves end in NaN."""
    values = [[[rule[key] for rule in schedule.values()] for schedule in problem] for problem in rows]
    return np.array(
        [[[padded(x) for x in schedule] for schedule in problem] for problem in values]
        if key == "curve"
        else values
    )


def padded(curve):
    """Return a curve with rows of NaN up to the longest of all problems."""
    longest = 1 + max(problem.epochs for problem in protocol.problems().values())
    return np.pad(curve, ((0, longest - len(curve)), (0, 0)), constant_values=np.nan)


if __name__ == "__main__":
    main()
