"""Run the long experiments of lesson 15 and write assets/scale.npz: some minutes on two cores.

python assets/make_scale.py          all of them
python assets/make_scale.py claim    one of them: widths, batches, times or claim
"""

import sys
from pathlib import Path

import numpy as np

from optim_lessons.studies import scaling as study

FILE = Path(__file__).parent / "scale.npz"


def widths():
    """Train every width in both styles with each rule; and muP with other epochs and batches."""
    found = {}
    for rule in study.LRS:
        found[f"width {rule}"] = np.array(
            [[study.width_losses(rule, s, w).mean(axis=-1) for w in study.WIDTHS] for s in study.STYLES]
        )
    found["other"] = np.array(
        [study.width_losses("Adam", "muP", 64, epochs=e, batch=b).mean(axis=-1) for e, b in study.OTHERS]
    )
    return found


def batches():
    """Count the steps to each goal, with every batch and lr."""
    return {
        f"batch {rule}": np.array([study.steps_to_goals(rule, b).mean(axis=-1) for b in study.BATCHES])
        for rule in study.BATCH_LRS
    }


def times():
    """Walk with a constant lr, end it at each end in each way, and run a cosine for each end."""
    longest, n = study.ENDS[-1], len(study.PEAKS)
    forks = {round((1 - share) * end) for end in study.ENDS for share in study.SHARES}
    flat = study.timed(study.warm_up(study.constant(1.0), study.WARM), longest, keep=forks)
    rows = longest // study.LOOK + 1
    cosine = np.full((len(study.ENDS), rows, n), np.nan)
    decay = np.full((len(study.ENDS), len(study.SHARES), rows, n), np.nan)
    for i, end in enumerate(study.ENDS):
        last = end // study.LOOK + 1
        cosine[i, :last] = study.timed(study.one_cosine(1.0, end), end)[0]
        for j, share in enumerate(study.SHARES):
            fork = round((1 - share) * end)
            its = study.timed(study.stable(1.0, end, share), end, began=(fork, flat[2][fork]))[0]
            decay[i, j, last - len(its) : last] = its
    return {"constant": flat[0], "averaged": flat[1], "cosine": cosine, "decay": decay}


def claim():
    """Measure validation losses of small and large batches, at equal epochs and at equal steps."""
    pairs = [pair for its in study.CLAIMS.values() for pair in its]
    return {"claim": np.array([study.validation_losses(*pair) for pair in pairs])}


PARTS = {"widths": widths, "batches": batches, "times": times, "claim": claim}


def main(names):
    """Run the named parts, or all, and store them beside what is stored already."""
    found = study.results() if FILE.exists() else {}
    for name in names or PARTS:
        found |= {key: values.astype(np.float32) for key, values in PARTS[name]().items()}
        print(name)
        np.savez_compressed(FILE, **found)


if __name__ == "__main__":
    main(sys.argv[1:])
