"""The walls: no message from one submission to the next, no memory beside the limit, nothing that stays."""

import contextlib
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from graders import GRADE, ISOLATES, WALLS, until
from test_check_command import LESSON, solved
from test_grade import FAULTS, FORGE, QUICK, RULE, WRONG, hand_in, isolating, judged, rows

from optim_lessons.course.publish import as_bytes
from optim_lessons.course.sandbox import box, child, walls
from optim_lessons.course.sandbox.box import Box, Ended, Limits
from optim_lessons.course.sandbox.walls import Inside, namespaces
from optim_lessons.course.submission import judge_notebook

__all__ = ["hand_in"]  # a fixture that is used by its name

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

# Each is right if the kernel refuses, and wrong, with what happened, if the trick worked.
CALLS = """import ctypes, mmap, os
libc = ctypes.CDLL(None, use_errno=True)
def number(name):
    return ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name(name)
def call(name, *arguments):
    return libc.syscall(number(name), *arguments)
"""
REFUSALS = {
    "its own keyring passes a message": "call(b'add_key', b'user', b'answer', b'0.05', 4, -3) != -1",
    "its user's keyring passes a message": "call(b'add_key', b'user', b'answer', b'0.05', 4, -4) != -1",
    "a named keyring passes a message": "call(b'keyctl', 1, b'meet') != -1",
    "a key is asked for": "call(b'request_key', b'user', b'x', None, -3) != -1 or ctypes.get_errno() != 1",
    "memory without a process": "call(b'memfd_create', b'x', 0) != -1",
    "System V's shared memory": "call(b'shmget', 0, 1 << 29, 0o1600) != -1",
    "System V's messages": "call(b'msgget', 0, 0o1600) != -1",
    "pid 1 is traced": "libc.ptrace(16, 1, 0, 0) != -1",
    "its parent is traced": "libc.ptrace(0x4206, os.getppid(), 0, 0) != -1",
    "pid 1's memory is read": "call(b'process_vm_readv', 1, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1",
    "a user of its own": "libc.unshare(0x10000000) != -1",
    "another file system": "libc.mount(b'x', b'/box', b'tmpfs', 0, None) != -1",
    "a ring of calls that no filter sees": "call(b'io_uring_setup', 4, bytes(120)) != -1",
    "the kernel's programs": "call(b'bpf', 0, None, 0) != -1 or ctypes.get_errno() != 1",
}


@isolating
@pytest.mark.parametrize("trick", REFUSALS)
def test_the_kernel_refuses_what_no_limit_counts_and_no_wall_holds(trick):
    source = f"{CALLS}escaped = {REFUSALS[trick]}\nlargest_lr = 7 if escaped else 0.05"
    result = judged({"largest_lr": source}, walls=namespaces)["largest_lr"]
    assert result.state == "right", result


@isolating
def test_the_keyring_of_the_teachers_session_is_not_there():
    if subprocess.run(["grep", "-q", "keyctl", "/proc/kallsyms"], check=False).returncode:
        pytest.skip("this kernel has no keys")
    import ctypes

    libc, key = ctypes.CDLL(None), child_number("add_key")
    assert libc.syscall(key, b"user", b"optim-answer", b"0.05", 4, -3) > 0
    with Box(as_bytes(solved()), ["largest_lr"], QUICK, walls=namespaces) as opened:
        theirs = Path(f"/proc/{list(box._family(opened._process.pid))[-1]}/status")
        assert theirs.exists()
    source = f"{CALLS}seen = call(b'keyctl', 10, -3, b'user', b'optim-answer', 0)\n"
    result = judged({"largest_lr": f"{source}largest_lr = 0.05 if seen == -1 else 7"}, walls=namespaces)
    assert result["largest_lr"].state == "right"


def child_number(name):
    import ctypes

    return ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name(name.encode())


@isolating
def test_a_course_anywhere_below_the_systems_folders_shows_nothing(tmp_path, monkeypatch):
    place = tmp_path / "lib/somebody/deep/optim_lessons/course/exercises"
    place.mkdir(parents=True)
    (place / "lesson_01.py").write_text("0.05")
    (tmp_path / "lib/optim_lessons-9.whl").write_text("0.05")
    (tmp_path / "lib/tool.py").write_text("x = 1")
    monkeypatch.setattr(walls, "_SYSTEM", (*walls._SYSTEM, str(tmp_path / "lib")[1:]))
    source = f"""import os
found = [open(os.path.join(folder, name)).read() for folder, _, names in os.walk({str(tmp_path)!r})
    for name in names]
largest_lr = 0.05 if found in (["x = 1"], ["x = 1", ""], ["", "x = 1"]) else 7
"""
    result = judged({"largest_lr": source}, walls=namespaces)["largest_lr"]
    assert result.state == "right", result
    assert not any(Path(folder).is_relative_to(f"/usr/{name}") for folder in walls._shown()
                   for name in ("share", "src", "local/share", "local/src"))  # fmt: skip


@linux
def test_memory_is_counted_though_the_answer_talks_without_a_pause():
    source = f"""{FORGE}
import time
for i in range(6):
    if os.fork() == 0:
        x = b"x" * 400_000_000
        time.sleep(5)
        os._exit(0)
def drip():
    frame = json.dumps(rule()).encode()
    frame = len(frame).to_bytes(4, "big") + frame
    for byte in frame:
        for fd in range(3, 20):
            try:
                os.write(fd, bytes([byte]))
            except OSError:
                pass
        time.sleep(0.05)
drip()
{WRONG}"""
    begun = time.monotonic()
    result = judged({RULE: source}, limits=Limits(seconds=8, memory=600 << 20))[RULE]
    assert (result.state, result.mistake) == ("error", "ended")
    assert "used more than 1,200 MB in several processes" in result.text, result
    assert time.monotonic() - begun < 60


def test_where_systemd_gives_a_group_the_kernel_counts_memory_and_the_box_is_not_told(tmp_path, monkeypatch):
    """systemd itself is not there in most containers: a stand-in notes what it was asked for."""
    if not ISOLATES:
        pytest.skip("this system has no namespaces")
    tool = tmp_path / "systemd-run"
    tool.write_text(f"#!/bin/sh\necho \"$@\" >> {tmp_path}/asked\n"
                    'while [ "$1" != true ] && [ "$1" != unshare ]; do shift; done\nexec "$@"\n')  # fmt: skip
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(box, "PATH", f"{tmp_path}:{walls.PATH}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    walls._with_memory_counted.cache_clear()
    try:
        source = "import os\nlargest_lr = 7 if 'XDG_RUNTIME_DIR' in os.environ else 0.05"
        assert judged({"largest_lr": source}, walls=namespaces)["largest_lr"].state == "right"
    finally:
        walls._with_memory_counted.cache_clear()
    asked = (tmp_path / "asked").read_text()
    assert asked.count(f"--scope --quiet --collect -p MemoryMax={1200 << 20} -p MemorySwapMax=0") >= 2


# What comes back


def told(value):
    return {"is": "dict", "items": [value, 0]}


ARRAY = {"is": "array", "dtype": "|u1", "data": ""}
LARGE = {
    "rows of nothing as a key": told(ARRAY | {"shape": [10**7, 0]}),
    "a billion of them": told(ARRAY | {"shape": [10**9, 0]}),
    "rows of nothing": {"is": "tuple", "items": [ARRAY | {"shape": [10**6, 0]}] * 100},
    "rows of no objects": {"is": "set", "items": [ARRAY | {"shape": [10**9, 0], "dtype": "O"}]},
    "many axes": ARRAY | {"shape": [0] * 500_000},
    "a text of pairs": {"is": "dict", "items": ["ab"] * 1000},
    "pairs of texts": {"is": "dict", "items": [["a", "b"]] * 1000},
    "many kinds of object": {"is": "list", "items": [
        {"is": "list", "items": [{"is": "object", "type": f"t{i}", "text": ""} for i in range(1000)]}
        for _ in range(40)]},
    "a number of many letters": {"is": "complex", "items": ["1" * 10**6, 0]},
    "a number of many numbers": {"is": "complex", "items": list(range(100_000))},
}  # fmt: skip


@linux
def test_no_value_that_comes_back_costs_the_grader_memory():
    program = """import json, sys
from pathlib import Path
from optim_lessons.course.sandbox.box import Ended, _plain
from optim_lessons.course.submission import _answer
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
for name, value in json.load(sys.stdin).items():
    before = peak()
    for read in (_plain, lambda value: _answer(value, None)):
        try:
            read(value)
        except Ended:
            pass
    assert peak() - before < 60_000, (name, before, peak())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(LARGE), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1000:]


def test_a_dict_is_made_of_pairs_and_a_plain_value_comes_back_as_it_was():
    import numpy as np

    for value in ({"a": 1, (1, 2): [3]}, {1}, np.zeros((0, 5)), np.zeros((3, 0)), 1 + 2j, [(), ...]):
        again = child.decode(child.encode(value))
        assert type(again) is type(value)
        assert np.array_equal(again, value) if isinstance(value, np.ndarray) else again == value
    assert child.decode(child.encode(np.zeros((5000, 0)))).__class__ is object
    for content in LARGE.values():
        with pytest.raises(Exception, match=r"\w") if "dict" in str(content)[:20] else nothing():
            child.decode(content)


class nothing:
    def __enter__(self):
        pass

    def __exit__(self, *_):
        return True


PIECES = [None, True, 0, -1, 1e999, 10**40, "", "x", "\ud800", [], {}, "array", "dict", "function"]
PIECES += ["KeyboardInterrupt", "<f8", "|b1", "O", "<M8", "POSITIONAL_ONLY", [0], [2, 3], [10**6, 0]]
PIECES += [[10**30], "AAAAAAAA" * 2]
KEYS = "value error is items shape dtype data type text kind parameters line code callback args missing"
KEYS = [*KEYS.split(), "names", "course", "index", "written", "globals", "broken"]
KINDS = ["array", "scalar", "tuple", "list", "set", "dict", "ellipsis", "complex", "object", "function"]


def odd_value(chance, depth=0):
    """Return something like a value that was sent: the right words in the wrong places."""
    if depth > 4 or chance.random() < 0.25:
        return chance.choice(PIECES)
    if chance.random() < 0.2:
        return [odd_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    made = {chance.choice(KEYS): odd_value(chance, depth + 1) for _ in range(chance.randrange(4))}
    if chance.random() < 0.8:
        made |= {
            "is": chance.choice(KINDS),
            "shape": [chance.choice([0, 1, 2, 10**6, 10**9])] * chance.randrange(4),
        }
        made |= {"items": [odd_value(chance, depth + 1) for _ in range(chance.randrange(5))]}
        made |= {
            "dtype": chance.choice(["<f8", "|u1", "O", "<c16", "<f3"]),
            "data": chance.choice(["", "AAAAAAAA" * 8]),
        }
    return made


FUZZER = """import json, os, random, sys
sys.path.insert(0, {tests!r})
from test_isolation import odd_value
chance, names = random.Random({seed}), {names!r}
def read():
    data = os.read(0, 4)
    if not data:
        os._exit(0)
    size, data = int.from_bytes(data, "big"), b""
    while len(data) < size:
        data += os.read(0, size - len(data))
    return data
def put(content):
    data = json.dumps(content).encode()
    if chance.random() < 0.01:
        data = data[: len(data) // 2]
    os.write(1, len(data).to_bytes(4, "big") + data)
word = json.loads(read())["word"]
read()
put({{"names": dict.fromkeys(names, "")}})
read()
put({{"course": []}})
while True:
    asked = json.loads(read())
    if asked["do"] == "end":
        os.write(2, f"{{word}} 0\\n".encode())
    elif asked["do"] == "step":
        put(asked)
    else:
        rule = {{"is": "function", "kind": "plain", "written": True, "parameters": None}}
        odd = odd_value(chance)
        put(chance.choice([{{"value": rule}}, {{"value": rule}}, {{"value": odd}}, odd, {{"error": odd}},
            {{"value": odd, "callback": 0, "args": [odd]}}]))
"""


@linux
@pytest.mark.slow
def test_whatever_frames_come_back_the_grader_raises_nothing_and_stays_small(tmp_path):
    program = f"""import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_isolation import fuzz
fuzz({str(tmp_path)!r})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    print(done.stdout)


def fuzz(folder, rounds=8, values=6_000):
    """Judge notebooks whose process answers at random; decode random values."""
    from optim_lessons.course.copies.workbook import lessons
    from optim_lessons.course.exercises import EXERCISES
    from optim_lessons.course.submission import _answer

    chance = random.Random(7)
    for _ in range(values):
        content = odd_value(chance)
        for read in (box._plain, lambda content: _answer(content, None)):
            with contextlib.suppress(Ended):
                read(content)
        box.rebuilt(content, 1)
    states = {}
    for seed in range(rounds):
        name = lessons()[2 * seed % len(lessons())]
        names = [e.name for e in EXERCISES.values() if e.id[:2] == name[:2]]
        script = Path(folder, f"{seed}.py")
        script.write_text(FUZZER.format(tests=str(Path(__file__).parent), seed=seed, names=names))
        answers = Inside([sys.executable, str(script)], str(folder), [], None)
        _, results = judge_notebook(
            b'{"cells": []}', Limits(seconds=0.3), lesson=name, walls=lambda *_, a=answers: a
        )
        for result in results:
            states[result.state] = states.get(result.state, 0) + 1
            assert result.points == 0 or result.state == "right"
            assert result.state != "not graded", (seed, result)
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    print(states, f"{peak / 1000:.0f} MB")
    assert peak < 200_000, peak


# Nothing is left

SLEEPS = "import time, os\nos.fork()\nwhile True: time.sleep(0.1)\nlargest_lr = 0.05"


def grading(folder, tmp, *options, grade=GRADE, **more):
    """Start grading a folder, with a folder for temporary files of its own."""
    tmp.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "optim_lessons.course.cli", *grade, str(folder), "--jobs", "2", *options]
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | more
    own = os.environ | {"TMPDIR": str(tmp)}
    # Tests that run in the background of a shell ignore Control-C, and so would what they start.
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, env=own, start_new_session=True, preexec_fn=heard, **more)


def of_the_run(tmp):
    """Return the processes that have the run's variable, or did when they began."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "environ").read_bytes(), (folder / "cmdline").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z" and (str(tmp).encode() in b"".join(words)):
            found.append(words[1])
    return found


@linux
@pytest.mark.parametrize("end", ["SIGKILL", "SIGKILL to all", "SIGTERM", "SIGINT", "SIGTERM to all"])
@pytest.mark.parametrize(
    "grade", [pytest.param(["grade"], marks=isolating), ["grade", "--trusted"]], ids=["isolated", "trusted"]
)
def test_however_it_is_ended_no_process_and_no_file_stays(hand_in, tmp_path, end, grade):
    for name in ("ada", "bo", "cy"):
        hand_in(name, {"largest_lr": SLEEPS})
    tmp = tmp_path / "tmp"
    process = grading(hand_in.folder, tmp, "--seconds", "600", grade=grade)
    family = []

    def sleeping():
        family[:] = box._family(process.pid)
        return sum(b"child.py" in command_of(p) for p in family if runs(p)) >= 6

    assert until(sleeping, 240), (process.poll(), list(map(command_of, family)))
    number = getattr(signal, end.split()[0])
    if "all" in end:
        for each in [p for p in family if b"child.py" not in command_of(p)]:
            with contextlib.suppress(ProcessLookupError):
                if os.getpgid(each) == process.pid:  # the command and its workers
                    os.kill(each, number)
    else:
        process.send_signal(number)
    said = process.communicate(timeout=60)[1]  # a tenth of the time that the sleepers may take
    assert until(lambda: not any(map(runs, family)), 30), [p for p in family if runs(p)]
    assert list(tmp.iterdir()) == []
    if "SIGKILL" not in end:
        assert process.returncode == 130
        assert "The same command goes on from here" in said
        assert "Traceback" not in said


def command_of(process):
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # it has just ended
        return b""


def runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@linux
def test_no_copy_of_the_course_lies_anywhere_while_it_runs(hand_in, tmp_path):
    hand_in("ada", {"largest_lr": SLEEPS})
    process = grading(hand_in.folder, tmp := tmp_path / "tmp", "--seconds", "60")
    try:
        assert until(lambda: len(list(box._family(process.pid))) >= 5, 60)
        assert [path for path in tmp.rglob("*") if "optim" in path.name or path.suffix == ".py"] == []
    finally:
        process.kill()
        process.communicate()


@linux
@pytest.mark.slow
def test_on_a_busy_machine_the_sentence_and_the_verdict_are_the_same():
    """On a core that it shares with 16 others, a loop's second of the processor takes 17 of the clock."""
    slow = "import time\nwhile time.process_time() < 0.25: pass\nlargest_lr = 0.05"
    data = as_bytes(solved(answers={RULE: FAULTS["an endless loop"][0], "largest_lr": slow}))
    core, sentences = str(min(os.sched_getaffinity(0))), []

    def crowded(*told):
        inside = WALLS(*told)
        return inside._replace(command=["taskset", "-c", core, *inside.command])

    for others in (0, 16):
        # Each in a session of its own: many systems share the processor out among sessions first.
        busy = ["taskset", "-c", core, "sh", "-c", "while :; do :; done"]
        crowd = [subprocess.Popen(busy, start_new_session=True) for _ in range(others)]
        try:
            begun = time.monotonic()
            _, results = judge_notebook(data, Limits(seconds=0.4), seed=5, walls=crowded)
            took = time.monotonic() - begun
        finally:
            for each in crowd:
                each.kill()
                each.wait()
        sentences.append([(r.name, r.state, r.text) for r in results])
    assert sentences[0] == sentences[1]
    assert took > 10, "it was not busy enough to prove anything"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux tells of tasks")
def test_a_process_that_ends_while_it_is_looked_at_is_no_fault(monkeypatch):
    own = os.getpid()
    assert len(box._waits([own])) >= 1

    def gone(*_, **__):
        raise FileNotFoundError(2, "No such file or directory")

    for reader in ("listdir", "scandir"):
        monkeypatch.setattr(os, reader, gone)
    assert list(box._family(own)) == [own]
    assert box._waits([own]) == {}


@isolating
def test_a_full_disk_is_one_sentence_and_no_traceback(hand_in, tmp_path):
    for i in range(20):
        hand_in(f"learner {i}", data=b"{")
    out = tmp_path / "out"
    out.mkdir()
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    script = f'mount -t tmpfs -o size=40k,nr_inodes=1000 full "{out}" && exec "$@"'
    command = ["unshare", "--mount", *user, "sh", "-c", script, "sh", sys.executable, "-m"]
    command += ["optim_lessons.course.cli", *GRADE, str(hand_in.folder), "--jobs", "1", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "the same command goes on from here" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_grader_on_the_same_folder_is_refused_and_the_first_is_not_disturbed(
    hand_in, tmp_path, capsys
):
    from optim_lessons.course.cli import main

    hand_in("ada", {"largest_lr": "import time\ntime.sleep(5)\nlargest_lr = 0.05"})
    process = grading(hand_in.folder, tmp_path / "tmp")
    assert until((hand_in.out / "run.json").exists, 60)
    assert main([*GRADE, str(hand_in.folder)]) == 2
    said = capsys.readouterr().err
    assert "another run of this command is writing" in said
    assert str(process.pid) in said
    process.communicate(timeout=90)
    assert process.returncode == 0
    assert rows(hand_in.out)[f"ada/{LESSON}.ipynb"]["points"] == "11"
    assert main([*GRADE, str(hand_in.folder)]) == 0


@linux
@pytest.mark.slow
def test_a_run_that_is_killed_twenty_times_gives_the_table_of_one_that_was_not(hand_in, tmp_path):
    from optim_lessons.course.cli import main

    chance = random.Random(3)
    hand_in("loop", {RULE: FAULTS["an endless loop"][0]})
    hand_in("damaged", data=b"{")
    for i in range(20):
        hand_in(f"learner {i:02d}", () if i % 3 else {"largest_lr": f"largest_lr = 0.0{i % 9 + 1}"})
    options = ["--seed", "4", "--seconds", "1"]
    kills = 0
    while kills < 20:
        process = grading(hand_in.folder, tmp_path / "tmp", *options)
        begun = len(list(hand_in.out.glob("results/*.json")))
        wait = chance.uniform(0.1, 4)
        until(lambda p=process: p.poll() is not None, wait)
        if process.poll() is None:
            kills += 1
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.communicate()
        if begun > 16:
            shutil.rmtree(hand_in.out)
    assert main([*GRADE, str(hand_in.folder), "--jobs", "1", *options]) == 1
    whole = tmp_path / "whole"
    assert main([*GRADE, str(hand_in.folder), "--out", str(whole), *options]) == 1
    assert (whole / "grades.csv").read_bytes() == (hand_in.out / "grades.csv").read_bytes()
    assert not [name for name in os.listdir(hand_in.out) if "draft" in name or name.endswith(".tmp")]
    assert until(lambda: not of_the_run(tmp_path / "tmp"), 10)
