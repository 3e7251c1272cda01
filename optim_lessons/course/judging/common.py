"""The mistakes that can be made in every exercise, and so stand in no exercise's table: a sentence each."""

from optim_lessons.course.judging.kinds import Exercise

COMMON = {
    "raised": "The code stops with an error.",
    "endless": "The code was stopped: it took too long.",
    "ended": "The code ended Python itself.",
    "not-finite": "NaN or infinity comes out where a number is expected.",
    "returns-nothing": "Something is computed, but nothing is returned.",
    "returned-values": "Another number of values is returned than asked for.",
    "returned-type": "What is returned is no array of numbers and no number.",
    "returned-order": "The values are right, but returned in another order.",
    "shape": "The result has another shape than expected.",
    "dtype": "The result is right, but holds fewer digits than float64.",
    "writes-in-place": "The function writes into an array that it was given.",
    "read-only": "The function writes into an array that it was given.",
    "hard-input": "Right with ordinary numbers, but not with zeros, huge, tiny or single ones.",
    "coordinates-mixed": "What happens in one coordinate changes another.",
    "hidden-memory": "The function keeps something between two calls.",
    "the-courses-own": "It is the course's own function.",
    "arguments": "The function takes other arguments than asked for.",
    "argument-order": "The arguments stand in another order.",
    "default": "An argument has another default than in the course.",
    "star-missing": "A star is missing before the knobs.",
    "star-too-early": "The star stands too early among the arguments.",
    "a-class": "It is a class, not a function.",
    "no-function": "It is no function.",
    "generator": "The function contains yield, so it returns no values.",
    "coroutine": "It is an async function.",
    "text": "It is a text, where a number is asked for.",
    "no-number": "It is no number.",
    "no-pair": "It is no pair of numbers.",
    "sign": "The number has the wrong sign.",
    "no-choice": "It is none of the letters to choose from.",
    "no-dict": "It is no dict.",
    "no-such-run": "The dict names something that is not there.",
    "no-such-cause": "The dict holds a name that is none of those to choose from.",
    "several-answers": "Several answers were given, and one is taken.",
}


def sentence(exercise: Exercise | None, mistake: str) -> str:
    """Return what a mistake's name stands for: the check's own sentence, or a common one. May be empty."""
    known = COMMON | ({m.name: m.text for m in exercise.mistakes} if exercise else {})
    if mistake.endswith("-unused") and mistake not in known:
        return f"`{mistake.removesuffix('-unused')}` is not used as in the formula."
    if all(part in known for part in mistake.split(" + ")):
        return " ".join(known[part] for part in mistake.split(" + "))
    return ""
