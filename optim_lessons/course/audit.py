"""What carries the prose of a lesson, for `optim-lessons audit`.

A number in the prose is carried by an output of its page, a code cell, an exercise or a test of that lesson,
or of a lesson that the sentence names, which shows it with the same rounding. A word that holds for all cases
or compares ("never", "twice") is carried by a test, and a line of tests/prose/NN_word.txt says by which:

    contest-read | every; never | test_in_the_contest_linear_is_before_cosine_in_every_row
    functions | every | a definition

that is, the cell's id, the words (each as often as it stands there), then the tests, or in plain words why
none is needed. A number that nothing shows has such a line too. "Two
of three" is carried by an output that says "2 of 3", "four learning rates" by a code cell close by which has
four of them. A sentence that announces a code cell (it
ends in a colon) is carried by what that cell does. Not looked at: formulas, code, headings, questions,
quotations and what stands after ">" (it may be false on purpose), years, sources. It never edits.
"""

import ast
import re
from dataclasses import dataclass, field
from functools import cache

from optim_lessons.course.publish import read

TIMES = "(?:two|three|four|five|six|seven|eight|nine|ten|twenty|hundred|thousand) times"
SHARES = "a (?:third|quarter|fifth|sixth|eighth|tenth|hundredth|thousandth)"
CLAIM = rf"twice|{TIMES}|half (?:of|the|as)|{SHARES}|far|none|all|never|exactly|every|always|only"
CLAIM = re.compile(rf"\b(?:{CLAIM}|at most|at least|no more than)\b", re.IGNORECASE)
IDIOM = "so far|as far as|how far|far away|at all|above all|after all|of all|all but|not only|run all|at once"
IDIOM = re.compile(rf"\b(?:{IDIOM})\b", re.IGNORECASE)
NUMBER = re.compile(
    r"(?<![A-Za-z_\d.])(\d{1,3}(?:[,_]\d{3})+|\d+)(\.\d+)?(e[-+]?\d+)?(?![\w]|\.\d)( ?%| per cent)?"
)
SPELLED = {"five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}
SPELLED |= {"fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100}
SMALL = {"two": 2, "three": 3, "four": 4} | SPELLED
SPELLED_NUMBER = re.compile(rf"\b({'|'.join(SPELLED)})\b(?! times)", re.IGNORECASE)
WORD = "|".join(SMALL)
PART_OF = re.compile(rf"\b({WORD}) of (?:the |its |our |these |all )?({WORD}|\d[\d,]*)\b", re.IGNORECASE)
COUNTED = "learning rates|lrs|values of lr|betas|batch sizes|seeds"
COUNTED = re.compile(rf"\b(two|three|four) (?:fresh |other )?(?:{COUNTED})\b", re.IGNORECASE)
NOT_PROSE = [
    r"(?s)```.*?```",  # code
    r"(?s)\*\*Sources\b.*",
    r"(?m)^(\*\*Time:\*\*|\*\*How to use|#|>).*$",
    r"(?s)\$\$.*?\$\$",
    r"\$[^$\n]*\$",
    r"`[^`\n]*`",
    r"\]\([^)\s]*\)",  # the address of a link
    r"\| *none\b[^|\n]*(?=\|)",  # a library that has no such thing
    r'"[^"\n]*"',
    r"\b(1[6-9]|20)\d\d\b(?!\.\d)",  # years
    r"(?i)\b(section|exercise|claim|question|part|picture|trap|explanation)s? \d+((,| to| and) \d+)*",
]


@dataclass
class Mark:
    """A number or a word of the prose: the cell, the sentence, the words, and what carries it."""

    cell: str
    sentence: str
    words: str
    carried_by: list = field(default_factory=list)


def audit(path):
    """Return the marks of a notebook's prose, and what is wrong with its list of tests and reasons."""
    cells = read(path.read_bytes()).cells
    lines, wrong = ledger(path)
    marks = []
    for place, cell in enumerate(cells):
        if cell.cell_type != "markdown":
            continue
        for sentence in sentences(cell.source):
            after = cells[place + 1] if place + 1 < len(cells) else cell
            shows = sentence.endswith(":") and cell.source.rstrip().endswith(sentence[-20:])
            announced = [f"announces {after.id}"] if shows and after.cell_type == "code" else []
            for words in numbers(sentence):
                found = shown_by(words, path, place, sentence)
                marks.append(Mark(cell.id, sentence, words, found or take(lines, cell.id, words)))
            for words in counts(sentence):
                found = counted_by(words, path, place)
                marks.append(Mark(cell.id, sentence, words, found or take(lines, cell.id, words)))
            for words in claims(sentence):
                marks.append(Mark(cell.id, sentence, words, take(lines, cell.id, words) or announced))
    left = [f"{cell} | {words}: not on the page" for cell, words, _ in lines]
    return marks, wrong + [f"{ledger_of(path)}: {line}" for line in left]


def sentences(source):
    """Return a cell's sentences and table rows, without what is not prose."""
    for pattern in NOT_PROSE:
        source = re.sub(pattern, " … ", source)
    pieces = re.split(r"(?<=[.!?;])[*_)]*\s+(?=[^a-z\s])|\n\s*(?:\n|[-*] |\d\. )|\n(?=\|)", source)
    return [" ".join(piece.split()) for piece in pieces if piece.strip()]


def numbers(sentence):
    """Return the numbers of a sentence as they are written, with their per cent."""
    sentence = re.sub(r"\b[Ll]essons? \d\d((,| to| and) \d\d)*", "", sentence)
    digits = [match[0].strip() for match in NUMBER.finditer(sentence)]
    spelled = [match[0] for match in SPELLED_NUMBER.finditer(PART_OF.sub("", sentence))]
    return digits + spelled


def claims(sentence):
    """Return the words of a sentence that compare or hold for all cases; a question claims nothing."""
    if sentence.endswith("?") or set(sentence) <= set("|-: "):
        return []
    return [match[0].lower() for match in CLAIM.finditer(IDIOM.sub("", sentence))]


def counts(sentence):
    """Return the small numbers of a sentence that count: "two of three", "four learning rates"."""
    return [match[0] for pattern in (PART_OF, COUNTED) for match in pattern.finditer(sentence)]


def counted_by(words, path, place):
    """Return what carries a small number: an output "2 of 3", or code close by that has so many things."""
    cells = read(path.read_bytes()).cells
    if match := PART_OF.match(words):
        part, whole = (SMALL.get(word.lower(), word) for word in match.groups())
        shown = re.compile(rf"\b{part} of {whole}\b")
        texts = {cell.id: texts_of(output) for cell in cells for output in cell.get("outputs", [])}
        return [f"output of {name}" for name, its in texts.items() if shown.search("\n".join(its))][:2]
    many = SMALL[words.split()[0].lower()]
    near = [cell for cell in cells[max(0, place - 1) : place + 3] if cell.cell_type == "code"]
    return [f"code of {cell.id}" for cell in near if many in lengths_in(cell.source)]


def lengths_in(source):
    """Return how many things the tuples, lists and ranges of a program hold."""
    lengths = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Tuple | ast.List):
            lengths.add(len(node.elts))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "range":
            lengths |= {len(range(*(ast.literal_eval(limit) for limit in node.args)))}
    return lengths


def shown_by(words, path, place, sentence):
    """Return up to two of the places that show a number with the same rounding, the nearest first."""
    lessons = [path, *(p for p in path.parent.glob("*.ipynb") if f"lesson {p.stem[:2]}" in sentence.lower())]
    places = [(p, *source) for p in lessons for source in sources(p)]
    places.sort(key=lambda item: (item[0] != path, item[1], abs(item[2] - place)))
    found = [
        f"{'' if p == path else p.stem + ' '}{name}"
        for p, _, _, name, values in places
        if any(same(words, value) for value in values)
    ]
    return found[:2]


@cache
def sources(path):
    """Return what can show a number: (rank, place, name, its numbers), outputs before code before tests."""
    result = []
    for place, cell in enumerate(read(path.read_bytes()).cells):
        if cell.cell_type == "code":
            texts = [text for output in cell.outputs for text in texts_of(output)]
            result.append((0, place, f"output of {cell.id}", values_in("\n".join(texts))))
            result.append((1, place, f"code of {cell.id}", values_in(cell.source)))
    root, lesson = path.parent.parent, path.stem[:2]
    exercises = f"optim_lessons/course/exercises/lesson_{lesson}"
    for name in (f"{exercises}.py", f"{exercises}.txt", f"tests/test_lesson_{lesson}.py"):
        if (root / name).exists():
            result.append((2, 0, name, values_in((root / name).read_text(encoding="utf-8"))))
    return result


def texts_of(output):
    """Return the texts of an output: what is printed, tables, and a picture's description."""
    data = output.get("data", {})
    alts = [one.get("alt", "") for one in output.get("metadata", {}).values() if hasattr(one, "get")]
    return [output.get("text", ""), *(text for mime, text in data.items() if mime.startswith("text/")), *alts]


def values_in(text):
    """Return the distinct numbers of a text."""
    return {value for match in NUMBER.finditer(text) for value in values(match)}


def values(match):
    """Return what a number in a text may stand for: itself, and with a per cent its hundredth too."""
    whole, part, power, share = match.groups()
    value = float(whole.replace(",", "").replace("_", "") + (part or "") + (power or ""))
    return {value, value / 100} if share else {value}


def same(words, value):
    """Return whether a number, rounded as these words round it, is what they say."""
    if words.lower() in SPELLED:
        return value == SPELLED[words.lower()]
    match = NUMBER.match(words)
    said = float(match[1].replace(",", "") + (match[2] or "") + (match[3] or ""))
    digit = 10.0 ** (float((match[3] or "e0")[1:]) - len((match[2] or ".")[1:]))
    scales = (1, 100) if match[4] else (1,)
    return any(abs(value * scale - said) <= 0.5000001 * digit for scale in scales)


def ledger_of(path):
    """Return where the tests and reasons of a lesson's words stand."""
    return path.parent.parent / "tests" / "prose" / f"{path.stem}.txt"


def ledger(path):
    """Return the entries of a lesson's list, one for each word of a cell, and what is wrong with them."""
    file = ledger_of(path)
    lines, wrong = [], []
    tests = known_tests(path.parent.parent / "tests")
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        if not line.strip() or line.startswith("#"):
            continue
        cell, words, reason = ([part.strip() for part in line.split("|", 2)] + ["", ""])[:3]
        lines += [[cell, word.strip().lower(), reason] for word in words.split(";")]
        unknown = [name for name in re.findall(r"\btest_\w+", reason) if name not in tests]
        wrong += [f"{file}: there is no {name}" for name in unknown]
        wrong += [] if reason else [f"{file}: neither a test nor a reason in {line!r}"]
    return lines, wrong


@cache
def known_tests(folder):
    """Return the names of all tests, and of the files that hold them."""
    files = sorted(folder.glob("test_*.py"))
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return {*re.findall(r"^def (test_\w+)", text, re.MULTILINE), *(file.stem for file in files)}


def take(lines, cell, words):
    """Take the first entry for these words of this cell off the list, and return its tests or its reason."""
    for entry in lines:
        if entry[:2] == [cell, words.lower()]:
            lines.remove(entry)
            return [entry[2]]
    return []
