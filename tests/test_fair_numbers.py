"""No best value of the course stands unseen at an end of the range that it was found in.

Whoever chooses a best value chooses it with `best_of`, which knows the range; what is printed then says so
where the best stands at an end, and the page has to speak of it.
"""

import ast
import re
from pathlib import Path

import pytest

import optim_lessons
from optim_lessons.course.publish import read
from optim_lessons.lab.shipped import shipped

PACKAGE = Path(optim_lessons.__file__).parent
NOTEBOOKS = sorted(shipped("notebooks").glob("*.ipynb"))
ROOMS = "", "studies", "pictures", "course/exercises", "course/judging", "teaching"
PROGRAMS = [*NOTEBOOKS, *(path for room in ROOMS for path in sorted((PACKAGE / room).glob("*.py")))]

# Where argmin is called all the same: how often, and what for. Each of them chooses nothing.
NO_CHOICE = {
    "notebooks/01_gradient_descent.ipynb": (1, "the nearest minimum of a walk's end"),
    "optim_lessons/choosing.py": (
        3,
        "the best of trials drawn at random, a range without order; where a curve's good stretch begins; "
        "which rule won a draw",
    ),
    "pictures/momentum.py": (1, "the direction that shrinks fastest"),
    "pictures/rmsprop.py": (1, "the step nearest to the minimum"),
    "pictures/schedules.py": (1, "the epoch of the lowest validation loss, in a curve that is drawn whole"),
    "pictures/weight_decay.py": (3, "the epoch of the lowest loss; the pixel nearest to a slider, twice"),
    "studies/maps.py": (1, "the nearest minimum"),
    "studies/overfitting.py": (2, "the epoch at which early stopping stops; the dots of maps drawn whole"),
}
# Best values that pages find at an end of their range, and the words in which they speak of it.
ADMITTED = {
    "06_adagrad": {
        "lr 126, and as good up to the highest of 81 tried": "Its best lr reaches to the end of the range"
    },
    "11_choosing": {"lr 0.0001, the lowest of 21 tried": "stands at the low end of the range in each sweep"},
}


def choices(source):
    """Return how often a program calls argmin or nanargmin, of NumPy or of an array."""
    return sum(
        isinstance(node, ast.Attribute) and node.attr in ("argmin", "nanargmin")
        for node in ast.walk(ast.parse(source))
    )


def program(path):
    """Return the source of a module, or of all code cells of a page."""
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    return "\n".join(cell.source for cell in read(path.read_bytes()).cells if cell.cell_type == "code")


def test_both_ways_to_write_argmin_are_counted_and_words_about_it_are_not():
    assert choices("np.nanargmin(x)\ny.argmin()  # argmin\nprint('argmin')") == 2


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_a_best_value_is_chosen_by_what_knows_its_range(path):
    number, _ = NO_CHOICE.get("/".join(path.parts[-2:]), (0, ""))
    assert choices(program(path)) == number, "choose it with optim_lessons.lab.fair.best_of"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_prints_no_best_value_at_an_end_of_its_range_unless_it_says_what_that_means(path):
    cells = read(path.read_bytes()).cells
    shown = "\n".join(str(cell.get("outputs", "")) for cell in cells)
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = re.findall(r"\w+ [\d.e+-]+, the (?:lowest|highest) of \d+ tried", shown)
    admitted = ADMITTED.get(path.stem, {})
    assert set(found) <= admitted.keys()
    assert [words for words in admitted.values() if words not in prose] == []


# Where walks are judged by their last step all the same, and why that is no lucky instant.
LAST_STEP = {
    "01_gradient_descent scaled-race": "descent on a quadratic below 2/L goes down in each step",
    "07_rmsprop claim-beats-run": "the mean of 200 walks, each with a noise of its own",
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_best_walk_is_not_chosen_by_its_last_step_alone(path):
    for cell in read(path.read_bytes()).cells:
        if cell.cell_type == "code" and re.search(r"best_of\(", cell.source) and "path(" in cell.source:
            fair = re.search("settled|last_tenth|stays_below|steps_to_tenth", cell.source)
            last = re.search(r"\[-1\b", cell.source)
            assert fair or not last or f"{path.stem} {cell.id}" in LAST_STEP
