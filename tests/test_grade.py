"""`optim-lessons grade`: no trick earns a point, no fault costs another exercise its points."""

import ast
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from graders import GRADE, ISOLATES, WALLS
from test_check_command import EXPECTED, LESSON, MIXED, lesson, solved

from optim_lessons.course.cli import main
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.notebook import Notebook, helpers
from optim_lessons.course.publish import as_bytes
from optim_lessons.course.sandbox import box
from optim_lessons.course.sandbox.box import Limits
from optim_lessons.course.sandbox.walls import Inside, namespaces, trusted
from optim_lessons.course.submission import NotJudged, judge_notebook, read_submission
from optim_lessons.lab.shipped import shipped
from optim_lessons.teaching import grade, grade_command, handed_in, report

PACKAGE = Path(grade.__file__).resolve().parent.parent
REFERENCE = PACKAGE / "gradient_descent.py"
TABLE = PACKAGE / "course" / "exercises" / "lesson_01.py"
RULE = "my_gradient_descent"
QUICK = Limits(seconds=3.0, memory=600 << 20)


def course_bytes():
    """Return what the attacks below would like to change."""
    files = [
        REFERENCE,
        TABLE,
        PACKAGE / "course" / "sandbox" / "child.py",
        PACKAGE / "course" / "notebook.py",
        shipped("notebooks") / f"{LESSON}.ipynb",
    ]
    return [file.read_bytes() for file in files] + [(PACKAGE / "new.py").exists()]


def judged(answers, *, seed=5, limits=QUICK, walls=WALLS):
    """Return name → Result for a solved notebook in which some cells are replaced."""
    data = as_bytes(solved(answers=answers))
    _, results = judge_notebook(data, limits, seed=seed, walls=walls)
    return {result.name: result for result in results}


isolating = pytest.mark.skipif(not ISOLATES, reason="this system has no namespaces")
both = pytest.mark.parametrize(
    "walls", [pytest.param(namespaces, marks=isolating), trusted], ids=["isolated", "trusted"]
)


# Attacks. Each cell defines an answer that would be right if the trick worked, and a wrong one if not.

WRONG = "def my_gradient_descent(w, g, *, lr=0.01):\n    return w\n"
EVERYTHING = """
class Everything(float):
    __eq__ = __le__ = __ge__ = __lt__ = __gt__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = float.__hash__
    __sub__ = __rsub__ = __abs__ = __float__ = lambda self, *other: self
"""
ATTACKS = {
    "numpy.testing is replaced": (
        RULE,
        f"""{WRONG}
import numpy, numpy.testing
for module in (numpy, numpy.testing):
    for name in ("assert_allclose", "allclose", "array_equal", "isclose"):
        setattr(module, name, lambda *a, **k: True)
""",
    ),
    "the checker is replaced": (
        RULE,
        f"""{WRONG}
import sys, types
for name in ("optim_lessons", "optim_lessons.course", "optim_lessons.course.check"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].check = lambda *a, **k: True
import __main__
for name in ("encode", "describe", "decode"):
    if hasattr(__main__, name):
        setattr(__main__, name, lambda *a, **k: True)
""",
    ),
    "an IPython AST transformer": (
        RULE,
        f"""{WRONG}
import ast
class Right(ast.NodeTransformer):
    def visit_Call(self, node):
        return ast.Constant(True)
get_ipython().ast_transformers.append(Right())
check("01.gradient_descent", my_gradient_descent)
""",
    ),
    "the reference is imported": (
        RULE,
        "from optim_lessons.gradient_descent import gradient_descent as my_gradient_descent",
    ),
    "the reference is imported late": (
        RULE,
        """import importlib
def my_gradient_descent(w, g, *, lr=0.01):
    return importlib.import_module("optim_lessons.gradient_descent").gradient_descent(w, g, lr=lr)
""",
    ),
    "the course is put on the path": (
        RULE,
        f"""import sys
sys.path[:0] = [{str(PACKAGE.parent)!r}, "/course"]
from optim_lessons.gradient_descent import gradient_descent as my_gradient_descent
""",
    ),
    "the reference is read": (
        RULE,
        f"""source = open({str(REFERENCE)!r}).read()
exec(source, found := dict())
my_gradient_descent = found["gradient_descent"]
""",
    ),
    "the reference is read by another program": (
        RULE,
        f"""import subprocess
source = subprocess.run(["cat", {str(REFERENCE)!r}], capture_output=True, text=True).stdout
exec(source, found := dict())
my_gradient_descent = found["gradient_descent"]
""",
    ),
    "the reference is read through another process": (
        RULE,
        f"""import glob
for root in glob.glob("/proc/*/root") + ["/proc/1/cwd/..", "/old"]:
    try:
        source = open(root + {str(REFERENCE)!r}).read()
        exec(source, found := dict())
        my_gradient_descent = found["gradient_descent"]
    except OSError:
        pass
""",
    ),
    "the table of answers is imported": (
        "largest_lr",
        """from optim_lessons.course.exercises import EXERCISES
exec(EXERCISES["01.largest_lr"].solution, found := {})
largest_lr = found["largest_lr"]
""",
    ),
    "the table of answers is read": (
        "largest_lr",
        f"""source = open({str(TABLE)!r}).read()
largest_lr = eval(source.split("largest_lr")[1].split("solution=")[1].split('"')[1])
""",
    ),
    "reveal is asked": (
        "largest_lr",
        'exec(repr(reveal("01.largest_lr")), found := {})\nlargest_lr = found["largest_lr"]',
    ),
    "reveal is imported": (
        "largest_lr",
        "from optim_lessons.course.check import reveal as show\n"
        'largest_lr = float(repr(show("01.largest_lr")).split("=")[1].split()[0])',
    ),
    "equal to everything": ("largest_lr", f"{EVERYTHING}\nlargest_lr = Everything(7)"),
    "a choice equal to everything": (
        "ravine_guess",
        "class Letter(str):\n    __eq__ = lambda s, o: True\n    __hash__ = str.__hash__\n"
        "    strip = lower = lambda s, *a: s\nravine_guess = Letter('z')",
    ),
    "a result equal to everything": (
        RULE,
        f"{EVERYTHING}\ndef my_gradient_descent(w, g, *, lr=0.01):\n    return Everything(1)",
    ),
    "arrays of objects that are equal to everything": (
        RULE,
        f"{EVERYTHING}\ndef my_gradient_descent(w, g, *, lr=0.01):\n"
        "    import numpy as np\n    return np.full(w.shape, Everything(1), dtype=object)",
    ),
    "frames are forged": (
        RULE,
        """import os
def my_gradient_descent(w, g, *, lr=0.01):
    frame = b'{"value": true, "right": true, "state": "right", "points": 9}'
    for fd in range(3, 20):
        try:
            os.write(fd, len(frame).to_bytes(4, "big") + frame)
        except OSError:
            pass
    return w
""",
    ),
    "the grader's memory is searched": (
        RULE,
        """import gc
def my_gradient_descent(w, g, *, lr=0.01):
    for x in gc.get_objects():
        if callable(x) and getattr(x, "__name__", "") == "gradient_descent":
            return x(w, g, lr=lr)
    return w
""",
    ),
}


# More ways to a file with the answers. Each one gets as far as `source`, if it can.
READS = {
    "by a module that opens files silently": """import readline
readline.read_history_file(TABLE)
source = "".join(readline.get_history_item(i) or "" for i in range(99))
""",
    "by a program that is started silently": """import os, _posixsubprocess
(here, there), (errors, told) = os.pipe(), os.pipe()
_posixsubprocess.fork_exec(
    [b"cat", os.fsencode(TABLE)], [b"/bin/cat"], True, (there, told), None, None, -1, -1, -1, there, -1, -1,
    errors, told, True, False, -1, None, None, None, -1, None, False)
os.close(there)
source = os.read(here, 9999).decode()
""",
    "as the patterns and the names of the program that runs it are changed": """import re, sys
program = vars(sys.modules["__main__"])
program.update({name: re.compile("(?!)") for name in program if isinstance(program[name], re.Pattern)})
program |= {"COURSE": "none", "DEAF": [TABLE], "imports_course": lambda *a: False, "limit": lambda *a: None}
source = open(TABLE).read()
""",
    "as the names of files are resolved in another way": """import os, posixpath
home = os.getcwd()
posixpath.realpath = posixpath.abspath = lambda *a, **k: home
posixpath._joinrealpath = lambda *a, **k: (home, True)
source = open(TABLE).read()
""",
    "as the variables of the program that runs it are changed": """import sys
frame, cells = sys._getframe(), []
while frame := frame.f_back:
    for value in list(frame.f_locals.values()):
        cells += [(cell, cell.cell_contents) for cell in getattr(value, "__closure__", None) or ()]
for cell, value in cells:
    if callable(value):
        cell.cell_contents = lambda *a, **k: True
source = open(TABLE).read()
for cell, value in cells:
    cell.cell_contents = value
""",
    "as the code of the program that runs it is changed": """import gc
for f in gc.get_objects():
    if getattr(f, "__module__", "") == "__main__" and getattr(f, "__name__", "") in ("find_spec", "limit"):
        f.__code__ = (lambda *a, **k: None).__code__
source = open(TABLE).read()
""",
    "from an open folder": """import os
home = os.getcwd()
os.makedirs("a/b/c/d/e/f")
os.chdir("a/b/c/d/e/f")
folder = os.open(home, os.O_RDONLY)
source = os.read(os.open("../" * home.count("/") + TABLE[1:], os.O_RDONLY, dir_fd=folder), 9999).decode()
""",
    "from an open folder of Python's": """import os
top, rest = TABLE.split("optim_lessons/", 1)
folder = os.open(top, os.O_RDONLY)
source = os.read(os.open("optim_lessons/" + rest, os.O_RDONLY, dir_fd=folder), 9999).decode()
""",
    "by a name that is no text": """import os
source = os.read(os.open(bytes(bytearray(TABLE, "utf-8")), os.O_RDONLY), 9999).decode()
""",
    "by a text that says it is another one": """class Name(str):
    startswith = __eq__ = lambda *a: True
    __hash__ = str.__hash__
    __str__ = lambda self: "/dev/null"
source = open(Name(TABLE)).read()
""",
    "by a link": """import os
home = os.getcwd()
os.makedirs("a/b/c/d/e/f")
os.chdir("a/b/c/d/e/f")
os.symlink("../" * home.count("/") + TABLE[1:], home + "/link")
source = open(home + "/link").read()
""",
    "while another thread changes the folder": """import os, threading
home, (folder, name), source = os.getcwd(), TABLE.rsplit("/", 1), ""
def flip():
    while not source:
        os.chdir(folder)
        os.chdir(home)
threading.Thread(target=flip, daemon=True).start()
for i in range(5_000):
    try:
        source = open(name).read()
        break
    except OSError:
        pass
""",
}
TAIL = '\nlargest_lr = 0.05 if "solution=" in source else 7\n'
ATTACKS |= {
    f"the table of answers is read {how}": ("largest_lr", f"TABLE = {str(TABLE)!r}\n{source}{TAIL}")
    for how, source in READS.items()
}

# Frames of the learner's own making, in place of an answer and of what comes after it.
FORGE = """import json, os
def put(*frames):
    for frame in frames:
        data = frame.encode() if isinstance(frame, str) else json.dumps(frame).encode()
        for fd in range(3, 20):
            try:
                os.write(fd, len(data).to_bytes(4, "big") + data)
            except OSError:
                pass
def rule(**more):
    parts = [["w", "POSITIONAL_OR_KEYWORD", False, None], ["g", "POSITIONAL_OR_KEYWORD", False, None],
        ["lr", "KEYWORD_ONLY", True, 0.01]]
    return {"value": {"is": "function", "kind": "plain", "parameters": parts} | more}
def array(shape, dtype="<f8", data=""):
    return {"value": {"is": "array", "dtype": dtype, "shape": shape, "data": data}}
def error(name, kind="ValueError", **more):
    return {"error": {"type": name, "kind": kind, "text": name} | more}
"""
FORGED = {
    "that the exercise is over": "rule(), *[{'gone': 0}] * 9",
    "results for this exercise and the next": "rule(), *[{'value': 1.0, 'gone': 0}] * 20",
    "an exception that has no possible name": r"error('a\0b')",
    "an exception with half a letter": r"error('\ud800')",
    "an exception that stops the grader": "error('KeyboardInterrupt', 'KeyboardInterrupt')",
    "an exception that is none": "{'error': 5}",
    "a line that is none": "error('x', line='one', code=7)",
    "a shape above all numbers": "array([0, 10**30])",
    "objects of a shape above all numbers": "rule(), array([0, 10**30], 'O')",
    "a shape that holds nothing": "rule(), array([0, 10**9])",
    "a type without a size": "array([0], '<f0')",
    "something without a kind": "{'value': {'x': 1}}",
    "a parameter that is none": "rule(parameters=[['w', 'empty', False, None]])",
    "a default without items": "rule(parameters=[['w', 'KEYWORD_ONLY', True, {'is': 'tuple'}]])",
    "400 tuples in each other": "'{\"value\":' + '{\"is\":\"tuple\",\"items\":[' * 400 + ']}' * 400 + '}'",
    "questions that nobody asked": "rule(), *[{'callback': 0, 'args': []}] * 50",
    "a text of two million letters": "{'value': 'x' * 1_900_000}",
    "a million lists": "'{\"value\": [' + '[],' * 600_000 + '0]}'",
    "no JSON": "'NaN', '[1]'",
}
ATTACKS |= {
    f"forged: {what}": (RULE, f"{FORGE}put({frames})\nos._exit(0)\n{WRONG}")
    for what, frames in FORGED.items()
}


@isolating
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_earns_nothing_and_leaves_the_other_exercises_their_points(attack):
    name, source = ATTACKS[attack]
    before = course_bytes()
    results = judged({name: source}, walls=namespaces)
    assert results[name].points == 0
    assert results[name].state in ("wrong", "error")
    assert [r.name for r in results.values() if r.state != "right"] == [name]
    assert course_bytes() == before


def _visible_trials():
    """Return a rule that knows the trials of the notebook's own check by heart, and nothing else."""
    from optim_lessons.course.judging.trials import hard_trials, run, several_runs, trials
    from optim_lessons.gradient_descent import gradient_descent

    pairs = []
    rule = gradient_descent
    for case in [*trials(rule), *hard_trials(rule), several_runs(rule)]:
        w = case.w
        for g, (new, *_) in zip(case.gradients, run(gradient_descent, case), strict=True):
            pairs.append((w.tolist(), g.tolist(), new.tolist()))
            w = new
    return f"""import numpy as np
KNOWN = {pairs!r}
def my_gradient_descent(w, g, *, lr=0.01):
    for old, gradient, new in KNOWN:
        if np.shape(old) == w.shape and np.array_equal(old, w) and np.array_equal(gradient, g):
            return np.array(new)
    return w
"""


def test_knowing_the_visible_trials_by_heart_passes_the_notebooks_check_and_earns_nothing():
    source = _visible_trials()
    assert judged({RULE: source}, seed=0)[RULE].state == "right"
    assert judged({RULE: source}, seed=1)[RULE].points == 0


@isolating
def test_nothing_can_be_written_outside(tmp_path):
    tmp_path.chmod(0o777)
    victims = [tmp_path / "x", TABLE, REFERENCE, shipped("notebooks") / f"{LESSON}.ipynb", PACKAGE / "new.py"]
    source = f"""import os, pathlib, shutil
for victim in {[str(v) for v in victims]!r}:
    for action in (
        lambda: open(victim, "w").write("mine"),
        lambda: os.open(victim, os.O_WRONLY | os.O_CREAT),
        lambda: os.remove(victim),
        lambda: os.rename(victim, victim + "2"),
        lambda: shutil.rmtree(os.path.dirname(victim)),
        lambda: os.symlink("/etc/passwd", victim + "3"),
        lambda: os.chmod(victim, 0),
        lambda: pathlib.Path(victim + "4").mkdir(),
        lambda: os.system(f"touch {{victim}} {{victim}}5"),
        lambda: __import__("sqlite3").connect(victim + "6").execute("create table a(b)"),
        lambda: os.mkfifo(victim + "7"),
    ):
        try:
            action()
        except BaseException:
            pass
open("mine.txt", "w").write("in its own folder it may")
assert open("mine.txt").read() and os.listdir(".") == ["mine.txt"]
{solved_rule()}
"""
    before = course_bytes()
    assert judged({RULE: source}, walls=namespaces)[RULE].state == "right"
    assert course_bytes() == before
    assert list(tmp_path.iterdir()) == []


@both
def test_the_course_that_answers_may_compute_with_tells_no_diagnosis(walls):
    """Of what is to be diagnosed, the course has to know the cause."""
    name, course = "first_diagnosis", "from optim_lessons.studies import broken, unnamed\n"
    told = f"{name} = {{run: list(broken.BROKEN)[unnamed._RUNS[run]] for run in 'ABCDEF'}}"
    own = next(e.solution for e in EXERCISES.values() if e.name == name)
    for source, state in ((course + told, "error"), (course + "print(unnamed.first_six())\n" + own, "right")):
        data = as_bytes(lesson({name: source}, name="12_debugging"))
        _, results = judge_notebook(data, QUICK, walls=walls)
        assert {r.name: r.state for r in results}[name] == state


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the most memory of one program")
def test_what_is_sent_back_takes_the_grader_little_memory():
    source = f"""{FORGE}
put('{{"value": [' + '{{"":{{}}}},' * 220_000 + '0]}}')
os._exit(0)
{WRONG}"""
    # Not getrusage: there, a program begins with the peak of the one that started it.
    script = f"""import re, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_grade
assert test_grade.judged({{test_grade.RULE: sys.stdin.read()}})[test_grade.RULE].points == 0
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
    done = subprocess.run([sys.executable, "-c", script], input=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
    assert int(done.stdout) < 200_000, done.stdout


def solved_rule():
    return "def my_gradient_descent(w, g, *, lr=0.01):\n    return w - lr * g\n"


@isolating
def test_there_is_no_network_and_no_other_submission(tmp_path):
    (tmp_path / "neighbour.txt").write_text("0.05")
    source = f"""import socket
seen = []
for try_it in (
    lambda: socket.create_connection(("127.0.0.1", {{port}}), timeout=1),
    lambda: open({str(tmp_path / "neighbour.txt")!r}).read(),
    lambda: __import__("os").listdir({str(tmp_path)!r}),
):
    try:
        seen.append(try_it())
    except OSError:
        pass
assert not seen, seen
largest_lr = 0.05
"""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        limits = Limits(seconds=4, hidden=(str(tmp_path),))
        source = source.replace("{port}", str(port))
        result = judged({"largest_lr": source}, limits=limits, walls=namespaces)
    assert result["largest_lr"].state == "right", result["largest_lr"].text


POWERS = """import ctypes, os
import numpy as np
libc = ctypes.CDLL(None)

def refused(action):
    try:
        return action() in (-1, [])
    except OSError:
        return True

names = ["mount", "unshare", "chroot", "proc", "root", "system"]
tried = [
    lambda: libc.mount(b"x", b"/dev", b"tmpfs", 0, None),
    lambda: libc.unshare(0x10000000),
    lambda: os.chroot("/box"),
    lambda: os.listdir("/proc"),
    lambda: open("/x", "w"),
    lambda: open("/usr/x", "w"),
]
slope = [name for name, action in zip(names, tried) if not refused(action)] or 6
"""


@isolating
def test_in_its_own_file_system_the_code_has_no_power_over_it():
    notebook = lesson({"slope": POWERS}, name="00_start_here")
    _, results = judge_notebook(as_bytes(notebook), QUICK, walls=namespaces)
    assert next(r for r in results if r.name == "slope").state == "right", results


@both
def test_what_an_exercise_leaves_running_does_not_reach_the_next_one(walls):
    source = f"""import os, threading, time
try:
    if os.fork() == 0:
        while True:
            for fd in range(3, 20):
                try:
                    os.write(fd, b"junk")
                except OSError:
                    pass
except (OSError, AttributeError):
    pass
{solved_rule()}"""
    results = judged({RULE: source}, walls=walls)
    assert [r.name for r in results.values() if r.state != "right"] in ([], [RULE])


LIBRARIES = {
    "matplotlib": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nlargest_lr = 0.05",
    "scipy": "from scipy.optimize import brentq\nlargest_lr = brentq(lambda x: x - 0.05, 0, 1)",
    "the data sets": "from optim_lessons.lab import datasets\nd = datasets.digits()\nlargest_lr = 0.05",
    "threads": "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool:\n"
    "    largest_lr = sum(pool.map(float, [0.05]))",
}


@pytest.mark.parametrize("library", LIBRARIES)
@both
def test_an_answer_may_use_what_the_course_brings(library, walls):
    result = judged({"largest_lr": LIBRARIES[library]}, walls=walls, limits=Limits())["largest_lr"]
    assert result.state == "right", result


# Faults

HUNG = "def my_gradient_descent(w, g, *, lr=0.01):\n    "
FAULTS = {
    "an endless loop": (HUNG + "while True: pass", "endless"),
    "a loop that swallows every exception": (
        HUNG + "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        "endless",
    ),
    "a loop deaf to signals": (
        HUNG + "import signal\n    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n    "
        "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        "endless or ended",
    ),
    "an endless loop in the cell itself": (f"while True: pass\n{solved_rule()}", "endless"),
    "sleep": (HUNG + "import time\n    time.sleep(1000)", "endless"),
    "memory": (HUNG + "x = []\n    while True: x.append(bytearray(50_000_000))", "raised or endless"),
    "one large array": (HUNG + "import numpy as np\n    return np.ones((100_000, 100_000))", "raised"),
    "os._exit": (HUNG + "import os\n    os._exit(0)", "ended"),
    "os._exit in the cell": (f"import os\nos._exit(3)\n{solved_rule()}", "ended"),
    "os.abort": (HUNG + "import os\n    os.abort()", "ended"),
    "sys.exit": (HUNG + "import sys\n    sys.exit(0)", "raised"),
    "no recursion's end": (HUNG + f"return {RULE}(w, g, lr=lr)", "raised"),
    "modules deleted": (f"import sys\nsys.modules.clear()\n{WRONG}", None),
    "builtins deleted": (f"{WRONG}import builtins\nvars(builtins).clear()", None),
    "descriptors closed": (f"import os\nos.closerange(0, 200)\n{WRONG}", "ended"),
    "many processes": (HUNG + "import os\n    while True: os.fork()", None),
    "a large file": (HUNG + "open('x', 'wb').write(bytes(100_000_000))", "raised"),
    "many files": (HUNG + "x = [open(str(i), 'w') for i in range(10_000)]", "raised"),
    "threads that go on": (
        f"import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\n{WRONG}",
        None,
    ),
    "memory of many processes": (
        HUNG + "import os, time\n    for i in range(6):\n        if os.fork() == 0:\n"
        "            x = b'x' * 400_000_000\n            time.sleep(99)\n    time.sleep(99)",
        "ended or raised",
    ),
    "processes that wait": (
        HUNG + "import os, time\n    while True:\n        if os.fork() == 0:\n            time.sleep(99)",
        "ended or raised",
    ),
    "many small files": (HUNG + "for i in range(100_000): open(str(i), 'w').close()", "raised"),
    "a text that a terminal obeys": (HUNG + "raise ValueError('\\x1b[2J\\ud800')", "raised"),
    "a kind of error without a possible name": (
        "class Kind(type):\n    __name__ = 'a\\0b'\nclass Odd(Exception, metaclass=Kind): pass\n"
        + HUNG
        + "raise Odd",
        "raised",
    ),
    "a result without end": (HUNG + "return ['x' * 2000] * 10**6", None),
}


QUICK_FAULTS = {"an endless loop", "os._exit", "one large array", "modules deleted", "sys.exit"}
QUICK_FAULTS |= {"memory of many processes", "many small files", "a text that a terminal obeys"}
QUICK_FAULTS |= {"a kind of error without a possible name"}
ISOLATED_FAULTS = {"many processes", "many small files"}


@pytest.mark.parametrize(
    "fault", [pytest.param(f, marks=() if f in QUICK_FAULTS else pytest.mark.slow) for f in FAULTS]
)
@both
def test_a_fault_is_survived_and_costs_only_its_own_exercise(fault, walls):
    if walls is trusted and fault in ISOLATED_FAULTS:
        pytest.skip("only a file system and a process space of its own have such a limit")
    source, mistake = FAULTS[fault]
    begun = time.monotonic()
    results = judged({RULE: source}, walls=walls, limits=QUICK)
    assert results[RULE].points == 0
    assert results[RULE].state in ("wrong", "error")
    if mistake:
        assert results[RULE].mistake in mistake, results[RULE]
    assert [r.name for r in results.values() if r.state != "right"] == [RULE]
    assert all(c.isprintable() or c == "\n" for c in results[RULE].text)
    assert time.monotonic() - begun < 120


@both
def test_a_million_printed_lines_and_warnings_change_nothing(walls):
    source = (
        "import sys, warnings\nfor i in range(1_000_000): print('line', i)\n"
        "def my_gradient_descent(w, g, *, lr=0.01):\n    warnings.warn('look')\n"
        "    print('x' * 10_000, file=sys.stderr)\n    return w - lr * g"
    )
    assert judged({RULE: source}, walls=walls, limits=Limits())[RULE].state == "right"


ODD_CELLS = {
    "a line of 10 MB": "x = [" + "1," * 5_000_000 + "]",
    "blank lines": "\n" * 100_000 + "(",
    "question marks": "?" * 200_000 + "x",
    "brackets": "(" * 1_000_000,
    "signs": "x = " + "-" * 1_000_000 + "1",
    "a sum of 100,000": "x = " + "1 + " * 100_000 + "1",
    "texts in texts": "x = f'" + '{f"' * 50 + "'",
    "a null byte": "x = 1\0",
    "an encoding": "# coding: utf-16\nx = 1",
}


@pytest.mark.parametrize("cell", ODD_CELLS)
def test_a_cell_that_is_hard_to_read_costs_no_answer(cell):
    notebook = solved()
    notebook.cells.insert(0, {"cell_type": "code", "source": ODD_CELLS[cell]})
    begun = time.monotonic()
    _, results = judge_notebook(json.dumps(notebook).encode(), QUICK, seed=5)
    assert {r.state for r in results} == {"right"}
    assert time.monotonic() - begun < 120


def test_an_answer_takes_with_it_only_names_that_it_reads_before_it_sets_them():
    """Else a right answer with an `x` of its own waits for all that the lesson's `x` came from."""
    lessons_own = Notebook(["import numpy as np", "x, lr, f = 1, 2, 3", "answer = ..."])
    for cell, wanted in {
        "x = 40\nanswer = 2 / x": [],
        "for lr in (1, 2):\n    x = lr\nanswer = x": [],
        "def answer(x, *, lr=0.1):\n    f = x * lr\n    return f": [],
        "def f(x):\n    return np.abs(x)\nanswer = f(3)": ["import numpy as np"],
        "answer = [x for x in (1, 2)][0]": [],
        "def answer():\n    return f": ["x, lr, f = (1, 2, 3)"],
        "x += 1\nanswer = x": ["x, lr, f = (1, 2, 3)"],
    }.items():
        found = helpers("answer", Notebook([cell]), lessons_own, ["answer"])
        assert [ast.unparse(statement) for statement in found] == wanted, cell


def test_the_line_and_the_limit_are_told():
    text = judged({RULE: FAULTS["an endless loop"][0]}, limits=Limits(seconds=0.5))[RULE].text
    assert "`my_gradient_descent` was stopped after 0.5 s in line 2, `while True: pass`." in text


# Fresh inputs are fair


@pytest.mark.parametrize(
    "exercise", [e for e in EXERCISES.values() if e.reference is not None], ids=lambda e: e.id
)
def test_with_any_seed_the_solution_is_right_and_every_named_mistake_is_told(exercise):
    namespace = {"np": __import__("numpy")}
    exec(exercise.solution, namespace)
    for seed in range(1, 6):
        assert exercise.judge(namespace[exercise.name], seed=seed)
    for mistake in exercise.mistakes:
        verdict = exercise.judge(exercise.variant(mistake.name), seed=seed)
        assert verdict.mistake == mistake.name


def test_the_verdict_of_a_function_in_the_sandbox_is_the_one_of_check():
    from optim_lessons.course.check import check

    bodies = [
        "return w + lr * g",
        "return w - g",
        "w -= lr * g\n    return w",
        "return [w]",
        "return w, g",
        "yield w",
        "return (x for x in w)",
        "return w[0]",
        "return w - 3 * lr * g",
        "return w * float('nan')",
        "return 1j * w",
        "return None",
        "return 1 / 0",
        "return w - lr * gg",
        "global M\n    M = globals().get('M', 0) + g\n    return w - lr * M",
        "raise NotImplementedError",
        "return w - 0.13 * g",
        "return w.astype('float32')",
        "return 'w'",
    ]
    for body in bodies:
        source = f"def my_gradient_descent(w, g, *, lr=0.01):\n    {body}\n"
        exec(source, namespace := {})
        here, there = check("01.gradient_descent", namespace[RULE]), judged({RULE: source}, seed=0)[RULE]
        assert there.mistake == here.mistake, body
        assert (there.state == "open") == (not here.done), body
        # Read from a file that is not there, a line of code is missing from the text made here.
        assert there.text.split(" in line")[0] == here.text.split(" in line")[0]


# Files


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"{", "no whole notebook"),
        (b"PK\x03\x04" + bytes(1000), "no whole notebook"),
        (b"[" * 1_000_000, "no whole notebook"),
        (b'{"cells": []}', "is it the right file"),
    ],
)
@both
def test_a_file_that_is_no_notebook_is_not_graded_and_named(data, said, walls):
    with pytest.raises(NotJudged, match=said):
        judge_notebook(data, QUICK, walls=walls)


def test_a_huge_file_and_a_link_are_not_read(tmp_path):
    huge = tmp_path / "huge.ipynb"
    with open(huge, "wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(NotJudged, match="200 MB, and at most 16"):
        read_submission(huge)
    (tmp_path / "link.ipynb").symlink_to(huge)
    with pytest.raises(NotJudged, match="a link"):
        read_submission(tmp_path / "link.ipynb")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.ipynb")
        with pytest.raises(NotJudged, match="no file"):
            read_submission(tmp_path / "pipe.ipynb")


# The class


@pytest.fixture
def hand_in(tmp_path):
    """Return a function that writes a submission into a folder of a class."""

    def write(learner, answers=(), *, data=None, name=f"{LESSON}.ipynb"):
        path = tmp_path / "class" / learner / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_bytes(solved(answers=answers)) if data is None else data)
        return path

    write.folder, write.out = tmp_path / "class", tmp_path / "class-graded"
    return write


def rows(out):
    text = (out / "grades.csv").read_text(encoding="utf-8-sig")
    return {row["file"]: row for row in csv.DictReader(io.StringIO(text))}


def test_a_class_becomes_a_table_a_page_and_feedback(hand_in, capsys):
    hand_in("ada")
    hand_in("bo", MIXED)
    hand_in("bo", name="01 second try.ipynb")
    hand_in("=cmd|'/c calc'!A1", {RULE: "def my_gradient_descent(w, g, *, lr=0.01):\n    return 1 / 0"})
    hand_in("<script>alert(1)</script>"[:20], {"largest_lr": "largest_lr = '<b>`x`</b>'"})
    hand_in("eve", data=b"{")
    hand_in("fay", data=as_bytes(lesson()))
    hand_in(".hidden", data=b"{")
    assert main([*GRADE, str(hand_in.folder), "--jobs", "2", "--seed", "3"]) == 1
    said = capsys.readouterr().out
    assert "graded: 5, learner's error: 1, not graded: 2" in said
    assert f"not graded: eve/{LESSON}.ipynb: it is no whole notebook" in said

    table = rows(hand_in.out)
    assert len(table) == 8
    assert table[".hidden/"]["reason"].startswith("its name begins with a dot")
    ada, bo = table[f"ada/{LESSON}.ipynb"], table[f"bo/{LESSON}.ipynb"]
    assert (ada["points"], ada["of"], ada["status"], ada["counts"]) == ("11", "11", "graded", "yes")
    assert bo["points"] == str(11 - sum(state != "right" for state, _ in EXPECTED.values()))
    assert bo["counts"] == "no"
    assert "01.gradient_descent: climbs" in bo["mistakes"]
    assert table["bo/01 second try.ipynb"]["counts"] == "yes"
    eve = table[f"eve/{LESSON}.ipynb"]
    assert (eve["points"], eve["status"]) == ("", "not graded")
    assert (table[f"fay/{LESSON}.ipynb"]["points"], table[f"fay/{LESSON}.ipynb"]["status"]) == ("0", "graded")
    formula = next(row for row in table.values() if "calc" in row["file"])
    assert formula["learner"].startswith("'=")
    assert formula["status"] == "learner's error"

    page = (hand_in.out / "class.html").read_text()
    assert '<div class="bar">' in page
    assert "01.gradient_descent  " in page
    for text in [page, *(p.read_text() for p in (hand_in.out / "feedback").iterdir())]:
        assert "<script" not in text
        assert "<b>" not in text
        assert not [word for word in ("http:", "https:", "src=", "@import") if word in text]
    assert len(list((hand_in.out / "feedback").iterdir())) == 7
    feedback = (hand_in.out / "feedback" / "bo.html").read_text()
    assert "You add the gradient, so the step goes uphill." in feedback
    assert "Another notebook of yours counts" in feedback
    assert "Not graded yet" in (hand_in.out / "feedback" / "eve.html").read_text()


def test_what_cannot_be_isolated_is_refused_with_the_reason_and_the_ways_on(hand_in, monkeypatch, capsys):
    hand_in("ada")
    monkeypatch.setattr("optim_lessons.course.sandbox.box.why_not_isolated", lambda: "it is not Linux")
    monkeypatch.setattr("optim_lessons.course.sandbox.walls.why_no_container", lambda name: "there is none")
    assert main(["grade", str(hand_in.folder)]) == 2
    said = capsys.readouterr().err
    for words in ("cannot isolate", "it is not Linux", "runs as you", "Grade on Linux", "Add --trusted"):
        assert words in said
    assert not hand_in.out.exists()


@isolating
def test_why_a_system_cannot_isolate_is_told_in_its_own_words(monkeypatch):
    refuse = ["sh", "-c", "echo 'unshare: Operation not permitted' >&2; exit 1"]
    monkeypatch.setattr(box, "namespaces", lambda *_: Inside(refuse, "/box", [], None))
    assert "unshare: Operation not permitted" in box.why_not_isolated.__wrapped__()
    monkeypatch.setattr(box, "namespaces", lambda *told: namespaces(*told)._replace(modules=[]))
    assert "No module named 'numpy'" in box.why_not_isolated.__wrapped__()


SEES_THIS = f"import os\nlargest_lr = 0.05 if os.path.exists({__file__!r}) else 7"


def test_with_trusted_the_class_is_graded_and_every_place_says_that_nothing_was_isolated(hand_in, capsys):
    hand_in("ada", {"largest_lr": SEES_THIS})
    hand_in("bo", MIXED)
    hand_in("cy", data=b"{")
    assert main(["grade", "--trusted", str(hand_in.folder), "--seed", "3"]) == 1
    assert report.TRUSTED in capsys.readouterr().out
    table = rows(hand_in.out)
    assert [row["points"] for row in table.values()] == ["11", "8", ""]
    assert {row["isolated"] for row in table.values()} == {"no (--trusted)"}
    for page in (hand_in.out / "class.html", *(hand_in.out / "feedback").iterdir()):
        assert str(report.escape(report.TRUSTED)) in page.read_text(encoding="utf-8")


@isolating
def test_what_was_graded_without_isolation_is_graded_again_with_it(hand_in, capsys):
    hand_in("ada", {"largest_lr": SEES_THIS})
    for options, points, isolated in (["--trusted"], "11", "no (--trusted)"), ([], "10", "yes"):
        assert main(["grade", *options, str(hand_in.folder)]) == 0
        row = rows(hand_in.out)[f"ada/{LESSON}.ipynb"]
        assert (row["points"], row["isolated"]) == (points, isolated)
    assert "all is graded again" in capsys.readouterr().out
    assert report.TRUSTED not in (hand_in.out / "class.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("walls", [WALLS, trusted])
def test_an_answer_is_the_learners_own_though_the_course_is_installed_beside_numpy(
    walls, tmp_path, monkeypatch
):
    (tmp_path / "site-packages" / "optim_lessons").mkdir(parents=True)
    (tmp_path / "site-packages" / "optim_lessons" / "gradient_descent.py").write_text(REFERENCE.read_text())
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    source = "from optim_lessons.gradient_descent import gradient_descent as my_gradient_descent"
    result = judged({RULE: source}, walls=walls)[RULE]
    assert (result.state, result.mistake) == ("error", "raised")
    assert "answers are not: do without them" in result.text


def test_one_worker_and_two_give_the_same_table(hand_in, tmp_path):
    for i in range(4):
        hand_in(f"learner {i}", MIXED if i % 2 else {"largest_lr": f"largest_lr = 0.0{i}"})
    tables = []
    for jobs in ("1", "2"):
        out = tmp_path / f"out {jobs}"
        assert main([*GRADE, str(hand_in.folder), "--jobs", jobs, "--out", str(out), "--seed", "9"]) == 0
        tables.append((out / "grades.csv").read_bytes())
    assert tables[0] == tables[1]


@pytest.mark.skipif(os.name == "nt", reason="kills a process group")
def test_a_killed_run_goes_on_to_the_same_table_with_the_same_seed(hand_in, tmp_path):
    for i in range(8):
        hand_in(f"learner {i:02d}", MIXED if i % 3 else ())
    command = [sys.executable, "-m", "optim_lessons.course.cli", *GRADE, str(hand_in.folder), "--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    results = hand_in.out / "results"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(list(results.glob("*.json"))) < 2:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: path.read_bytes() for path in results.glob("*.json")}
    assert 2 <= len(kept) < 8, "killed too late to prove anything"
    seed = json.loads((hand_in.out / "run.json").read_text())["seed"]

    assert main([*GRADE, str(hand_in.folder), "--jobs", "1"]) == 0
    assert {path: path.read_bytes() for path in kept} == kept
    assert json.loads((hand_in.out / "run.json").read_text())["seed"] == seed
    whole = tmp_path / "whole"
    assert main([*GRADE, str(hand_in.folder), "--out", str(whole), "--seed", str(seed)]) == 0
    assert (whole / "grades.csv").read_bytes() == (hand_in.out / "grades.csv").read_bytes()


def test_what_was_handed_in_again_is_graded_again_and_the_rest_is_not(hand_in):
    path = hand_in("ada", MIXED)
    hand_in("bo")
    assert main([*GRADE, str(hand_in.folder)]) == 0
    before = {p: p.stat().st_mtime_ns for p in (hand_in.out / "results").iterdir()}
    path.write_bytes(as_bytes(solved()))
    assert main([*GRADE, str(hand_in.folder)]) == 0
    assert rows(hand_in.out)[f"ada/{LESSON}.ipynb"]["points"] == "11"
    changed = [p for p in before if p.stat().st_mtime_ns != before[p]]
    assert len(changed) == 1


def test_a_grading_process_that_dies_takes_no_other_submission_with_it(hand_in, monkeypatch):
    for i in range(4):
        hand_in(f"learner {i}")
    found = handed_in.submissions(hand_in.folder)
    options = {"lesson": None, "limits": QUICK, "seed": 1, "walls": WALLS}
    monkeypatch.setattr(grade, "grade_one", die_on_learner_2)
    records = grade.grade(hand_in.folder, found, hand_in.out, options, jobs=2)
    assert [r["status"] for r in records if r["learner"] != "learner 2"] == ["graded"] * 3
    lost = next(r for r in records if r["learner"] == "learner 2")
    assert lost["status"] == "not graded"
    assert "ended, twice" in lost["reason"]


def test_a_grading_process_that_ends_while_the_next_submission_is_given_out_is_replaced(hand_in, monkeypatch):
    for i in range(3):
        hand_in(f"learner {i}", data=b"{")
    pools = iter([BrokenPool(), grade.futures.ProcessPoolExecutor])
    monkeypatch.setattr(grade, "grade_one", say_it_is_graded)
    monkeypatch.setattr(grade.futures, "ProcessPoolExecutor", lambda *a, **k: next(pools)(*a, **k))
    found = handed_in.submissions(hand_in.folder)
    assert sorted(path for path, _ in grade._graded(hand_in.folder, found, {}, jobs=2)) == found


class BrokenPool:
    """A pool whose processes have ended before anything is given to them."""

    def __call__(self, *_, **__):
        return self

    def submit(self, *_):
        raise grade.futures.process.BrokenProcessPool

    def shutdown(self, **_):
        pass


def say_it_is_graded(folder, path, options):
    return {"file": str(path)}


def die_on_learner_2(folder, path, options):
    if "learner 2" in str(path):
        os._exit(1)
    from optim_lessons.teaching.grade import grade_one

    return grade_one(folder, path, options)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing"], "there is no folder 'missing'"),
        (["empty"], "there is no notebook (*.ipynb)"),
        (["class", "--lesson", "99"], "there is no lesson '99'"),
        (["other", "--lesson", "1"], "there is no notebook that can be 01_gradient_descent"),
        (["class", "--out", "class/out"], "cannot go into the folder of the submissions"),
    ],
)
def test_a_request_that_cannot_work_is_told_why(hand_in, tmp_path, monkeypatch, capsys, arguments, said):
    hand_in("ada")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/08_adam.ipynb").touch()
    monkeypatch.chdir(tmp_path)
    assert main([*GRADE, *arguments]) == 2
    assert said in capsys.readouterr().err


def test_whose_notebook_it_is_comes_from_the_folder_or_the_files_name():
    for path, learner in {
        "ada/x.ipynb": "ada",
        "ada/08_adam/08_adam.ipynb": "ada",
        "ada_08_adam.ipynb": "ada",
        "08_adam-bo lee.ipynb": "bo lee",
        "08_adam.ipynb": "08_adam",
        "08_adam-4711.ipynb": "4711",
        "ada 08_adam-fresh.ipynb": "ada",
        "ada_08_adam-new-0.2.0-2.ipynb": "ada",
    }.items():
        assert handed_in.learners_of([Path(path)])[Path(path)].name == learner


def test_of_folders_with_all_lessons_one_lesson_can_be_graded(tmp_path):
    for name in (
        "ada/01_gradient_descent",
        "ada/08_adam",
        "bo/my try",
        "cy_08_adam-fresh",
        "dee 01_gradient_descent",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.ipynb").touch()
    found = [path.as_posix() for path in handed_in.submissions(tmp_path, "01_gradient_descent")]
    assert found == ["ada/01_gradient_descent.ipynb", "bo/my try.ipynb", "dee 01_gradient_descent.ipynb"]
    assert len(handed_in.submissions(tmp_path)) == 5


def test_files_and_folders_with_hostile_names_are_graded_and_stay_as_they_are(hand_in):
    names = [
        "a\nb",
        "-rf",
        "\u202eevil",
        "e\u0301",
        "é",
        "Ada",
        "ada",
        "CON",
        "con.x",
        "＝1+1",
        "\u200b=1",
        "`<b>`",
    ]
    names += ["\x1b[31mred", "x.ipynb", "𠀀" * 60, 'a,b";c']
    for name in names:
        hand_in(name, data=b"{")
    (hand_in.folder / "loop").symlink_to(hand_in.folder)
    (hand_in.folder / "folder.ipynb").mkdir()
    before = sorted((p, p.lstat().st_mtime_ns) for p in hand_in.folder.rglob("*"))
    assert main([*GRADE, str(hand_in.folder)]) == 1
    assert sorted((p, p.lstat().st_mtime_ns) for p in hand_in.folder.rglob("*")) == before
    text = (hand_in.out / "grades.csv").read_text(encoding="utf-8-sig")
    assert len(list(csv.reader(io.StringIO(text)))) == 1 + len(names) + 2  # and folder.ipynb, and the link
    assert not set(text) & set("\x1b\u202e\u200b")
    assert len(list((hand_in.out / "feedback").iterdir())) == len(names) + 2


def test_a_result_that_was_edited_or_cut_is_made_again(hand_in):
    hand_in("ada", MIXED)
    hand_in("bo", MIXED)
    assert main([*GRADE, str(hand_in.folder)]) == 0
    table = (hand_in.out / "grades.csv").read_bytes()
    one, two = (hand_in.out / "results").iterdir()
    one.write_text(one.read_text().replace('"points": 8', '"points": 11'))
    two.write_bytes(two.read_bytes()[:200])
    assert main([*GRADE, str(hand_in.folder)]) == 0
    assert (hand_in.out / "grades.csv").read_bytes() == table


def test_with_another_limit_all_is_graded_again_with_the_same_inputs(hand_in, capsys):
    hand_in("ada", {RULE: "while True: pass\n" + solved_rule()})
    assert main([*GRADE, str(hand_in.folder), "--seconds", "0.5"]) == 0
    assert "ended after 0.5 s" in (hand_in.out / "feedback" / "ada.html").read_text()
    seed = json.loads((hand_in.out / "run.json").read_text())["seed"]
    assert main([*GRADE, str(hand_in.folder), "--seconds", "0.6"]) == 0
    assert "all is graded again" in capsys.readouterr().out
    assert "ended after 0.6 s" in (hand_in.out / "feedback" / "ada.html").read_text()
    assert json.loads((hand_in.out / "run.json").read_text())["seed"] == seed


def test_results_go_neither_into_the_class_by_a_link_nor_among_other_files(hand_in, tmp_path, capsys):
    hand_in("ada", data=b"{")
    (tmp_path / "link").symlink_to(hand_in.folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "results").mkdir()
    (tmp_path / "mine" / "results" / "thesis.json").write_text("{}")
    for out, said in (("link/out", "cannot go into the folder"), ("mine", "holds other things")):
        assert main([*GRADE, str(hand_in.folder), "--out", str(tmp_path / out)]) == 2
        assert said in capsys.readouterr().err
    assert (tmp_path / "mine" / "results" / "thesis.json").read_text() == "{}"
    assert os.listdir(hand_in.folder) == ["ada"]


@pytest.mark.parametrize(
    ("module", "moment"),
    [(grade_command, "submissions"), (grade_command, "run_of"), (grade_command, "grade"), (grade, "_kept")],
)
def test_control_c_at_any_moment_says_how_to_go_on(hand_in, monkeypatch, capsys, module, moment):
    def stop(*_, **__):
        raise KeyboardInterrupt

    hand_in("ada", data=b"{")
    monkeypatch.setattr(module, moment, stop)
    assert main([*GRADE, str(hand_in.folder)]) == 130
    assert "The same command goes on from here" in capsys.readouterr().err


def test_learners_with_like_names_get_files_of_their_own():
    names = report.file_names(
        ["ada", "Ada", "a/b", "a b", "..", "", "x" * 300, "名前", "𠀀" * 60, "nul", "aux.x"]
    )
    assert len({name.casefold() for name in names}) == len(names)
    assert all(name and "/" not in name and not name.startswith(".") for name in names)
    assert max(len(name.encode()) for name in names) < 100
    assert not {name.split(".")[0] for name in names} & {"nul", "aux"}  # which Windows has for itself


# Slow: a whole class with everything in it


@pytest.mark.slow
def test_a_class_with_every_kind_of_trouble_is_graded_in_time_and_memory(hand_in):
    count = int(os.environ.get("CLASS_SIZE", "100"))
    trouble = {
        "hangs": FAULTS["an endless loop"][0],
        "deaf": FAULTS["a loop deaf to signals"][0],
        "eats": FAULTS["memory"][0],
        "floods": "while True: print('x' * 1000)\n" + solved_rule(),
        "writes": f"open({str(TABLE)!r}, 'a').write('#')\n" + solved_rule(),
    }
    for name, source in trouble.items():
        hand_in(name, {RULE: source})
    hand_in("broken", data=b'{"cells": [{')
    hand_in("unsolved", data=as_bytes(lesson()))
    usual = [as_bytes(solved()), as_bytes(solved(answers=MIXED))]
    for i in range(count - 7):
        hand_in(f"learner {i:03d}", data=usual[i % 2])
    before = course_bytes()
    begun = time.monotonic()
    command = [sys.executable, "-m", "optim_lessons.course.cli", *GRADE, str(hand_in.folder), "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.monotonic() - begun
    assert done.returncode == 1, done.stderr[-2000:]
    table = rows(hand_in.out)
    assert len(table) == count
    for name in trouble:
        row = table[f"{name}/{LESSON}.ipynb"]
        assert (row["status"], row["points"]) == ("learner's error", "10"), row
    assert table[f"broken/{LESSON}.ipynb"]["status"] == "not graded"
    assert table[f"unsolved/{LESSON}.ipynb"]["points"] == "0"
    assert {row["points"] for file, row in table.items() if file.startswith("learner")} == {"11", "8"}
    assert course_bytes() == before
    import resource  # which Windows does not have

    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{count} submissions in {took:.0f} s, the largest process {peak:.0f} MB")
    assert took < 600 * count / 300
