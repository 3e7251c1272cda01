"""Run the long experiments of lesson 14 and write assets/beyond_adam.npz: some minutes on two cores.

python assets/make_beyond_adam.py          all of them
python assets/make_beyond_adam.py race     one of them: tails, words, matrices, duel, ends or race
"""

import sys
from pathlib import Path

import numpy as np

from optim_lessons.choosing import choose
from optim_lessons.lab.races import race
from optim_lessons.studies import beyond as study
from optim_lessons.studies import protocol

FILE = Path(__file__).parent / "beyond_adam.npz"


def tails():
    """Train on made-up classes with every tail: (tails, groups, steps + 1, lrs) for each rule."""
    return {
        f"tails {rule}": np.array([study.tail_losses(tail, rule) for tail in study.TAILS])
        for rule in study.TAIL_RULES
    }


def words():
    """Count the pairs of words of a text, and train on them."""
    table = study.word_pairs()
    return {"words": table} | {f"words {rule}": study.word_losses(rule, table) for rule in study.TAIL_RULES}


def matrices():
    """Race on matrix regression at every turn, every second step: (turns, looks, lrs) for each rule."""
    return {
        f"matrices {rule}": np.array([study.matrix_losses(turn, rule)[::2] for turn in study.TURNS])
        for rule in study.MATRIX_RULES
    }


def duel():
    """Train all trials of AdamW and of Muon; the best by validation and by training with fresh seeds."""
    found, problem = {}, study.duel_problem()
    options = {"progress": False, "n_jobs": 1}
    for name in study.DUEL_RANGES:
        entrant = study.duel_entrant(name)
        tried = race(problem, {name: entrant}, seeds=study.DUEL_SEEDS, **options)[name].history
        for by in ("validation", "train"):
            losses = found[f"duel {name} {by}"] = tried[f"{by}_loss"][-1]
            best = entrant.only([choose(losses)])
            fresh = race(problem, {name: best}, seeds=study.FRESH, part="test", **options)[name].history
            for part in ("train", "test"):
                found[f"duel {name} by {by}, {part}"] = fresh[f"{part}_loss"][:, 0]
    return found


def ends():
    """Train with and without an end date; the best by the mean at the end again with fresh seeds."""
    found = {}
    for name in study.OPEN_EPOCHS:
        part = None if study.open_problem(name)[1] is None else study.datasets.digits().test
        for way in study.WAYS:
            losses = found[f"{name}, {way}"] = study.open_losses(name, way).mean(axis=-1)
            best = study.OPEN_LRS[[np.nanargmin(losses[-1])]]
            fresh = study.open_losses(name, way, best, study.FRESH, part)
            found[f"{name}, {way}, fresh"] = fresh[:, 0]
    return found


def race_of_all():
    """Race the rules of this lesson on three problems of lesson 11, by its protocol."""
    tuning, test, start = [], [], []
    for name in study.RACE_PROBLEMS:
        problem, options = protocol.problem(name), {"progress": False, "n_jobs": 1}
        for rule in study.RACE_RANGES:
            entrant = study.race_entrant(rule, problem)
            tried = race(problem, {rule: entrant}, seeds=protocol.TUNING_SEEDS, **options)[rule].history
            tuning.append(tried["validation_loss"][-1])
            best = entrant.only([choose(tuning[-1]) or 0])
            seeds = list(protocol.FRESH_SEEDS)
            fresh = race(problem, {rule: best}, seeds=seeds, **options)[rule].history
            start.append(fresh["validation_loss"][0, 0].mean())
            opened = race(problem, {rule: best}, seeds=seeds, part="test", **options)[rule].history
            test.append(opened["test_loss"][-1, 0])
            print(name, rule, flush=True)
    shape = len(study.RACE_PROBLEMS), len(study.RACE_RANGES)
    return {
        "race tuning": np.reshape(tuning, (*shape, *np.shape(tuning[0]))),
        "race test": np.reshape(test, (*shape, -1)),
        "race start": np.reshape(start, shape),
    }


PARTS = {
    "tails": tails, "words": words, "matrices": matrices, "duel": duel, "ends": ends, "race": race_of_all,
}  # fmt: skip


def main(names):
    """Run the named parts, or all, and store them beside what is stored already."""
    for name in names or PARTS:
        made = {key: np.asarray(values, np.float32) for key, values in PARTS[name]().items()}
        found = dict(study.results()) if FILE.exists() else {}
        study.results.cache_clear()
        print(name)
        np.savez_compressed(FILE, **found | made)


if __name__ == "__main__":
    main(sys.argv[1:])
