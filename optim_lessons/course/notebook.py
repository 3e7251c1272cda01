"""The one reader of notebooks: their cells, what these define and need, and which answers are still open.

Standard library only: it also runs alone, beside child.py, where a learner's code runs and no course is.
A notebook's content is what JSON makes of its file; nbformat's notebooks may stand in its place.
"""

import ast
import codecs
import contextlib
import inspect
import json
import re

CODE = 1_000_000  # characters of a notebook's code: it takes 300 times as many bytes to look at them
ANSWER = "<your cell>"
COURSE = "optim_lessons"
# What a page calls beside an answer, and an answer never needs.
BESIDE = ("check", "reveal", "progress", "explore", "projector", "display", "get_ipython")


class NoNotebook(ValueError):
    """What is wrong with bytes that are no notebook.  is_broken: they are no JSON either."""

    def __init__(self, reason, *, is_broken=False):
        super().__init__(reason)
        self.is_broken = is_broken


# The file


def content(data):
    """Return what a notebook's bytes hold: the cells under "cells", the text of each under "source".

    Raises NoNotebook.
    """
    try:
        notebook = json.loads(data.removeprefix(codecs.BOM_UTF8).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        line = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise NoNotebook(f"its JSON is broken{line}", is_broken=True) from None
    try:
        if "cells" not in notebook:  # as notebooks were written before 2015
            notebook["cells"] = notebook["worksheets"][0]["cells"]
        for cell in notebook["cells"]:
            cell["source"] = _text(cell.get("source", cell.get("input", "")))
            cell["cell_type"].upper()
    except (LookupError, TypeError, AttributeError):
        raise NoNotebook("it is JSON, but no notebook: it holds no list of cells") from None
    return notebook


def _text(source):
    text = source if isinstance(source, str) else "".join(source)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def code_cells(notebook):
    """Return the code cells of a notebook's content."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def sources(data):
    """Return the sources of the code cells in a notebook's bytes. Raises NoNotebook."""
    return [cell["source"] for cell in code_cells(content(data))]


def prose(data):
    """Return the texts of the Markdown cells in a notebook's bytes. Raises NoNotebook."""
    return [cell["source"] for cell in content(data)["cells"] if cell["cell_type"] == "markdown"]


# A cell


def parse(source):
    """Return a cell's statements, its magics left out. Raises SyntaxError if it is not Python."""
    for text in (source, "\n".join(map(_without_magic, source.split("\n")))):
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.parse(text, ANSWER).body
    try:
        compile(source, ANSWER, "exec")
    except SyntaxError as error:
        raise error from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error)) from None
    raise SyntaxError("not Python")


def _without_magic(line):
    word = line.strip()
    magic = word[:1] in ("%", "!") or (word.endswith("?") and len(word.split()) == 1)
    return line[: len(line) - len(line.lstrip())] + "pass" if magic else line


def bound(statement):
    """Return the names that a statement sets where it stands."""
    names, todo = set(), [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            todo.extend(ast.iter_child_nodes(node))
    return names


def used(statement):
    """Return the names that a statement mentions."""
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def needed(statements):
    """Return the names that statements read before they have set them themselves."""
    names, own, everywhere = set(), set(), set().union(*map(bound, statements))
    for statement in statements:
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            names |= _read(compile(ast.Module([statement], []), ANSWER, "exec"), own, everywhere)
        own |= bound(statement)
    return names


def _read(code, own, later):
    """Return the names of no function's own that code reads.  later: set before its functions are called."""
    import dis

    names, own = set(), set(own)
    for step in dis.get_instructions(code):
        if (
            step.opname in ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
            and step.argval not in own
        ):
            names.add(step.argval)
        elif step.opname == "STORE_NAME":
            own.add(step.argval)
        elif inspect.iscode(step.argval):
            names |= _read(step.argval, own | later, later)
    return names


def is_open(statement):
    """Whether a statement is an answer not given yet: name = ..., or a function that ends in `...`."""
    last = statement.body[-1] if getattr(statement, "body", None) else statement
    value = getattr(last, "value", None)
    return isinstance(value, ast.Constant) and value.value is ...


def span(statement):
    """Return the slice of its cell's lines that a statement takes, its decorators with it."""
    first = min(node.lineno for node in (statement, *getattr(statement, "decorator_list", [])))
    return slice(first - 1, statement.end_lineno)


def checked(source):
    """Return (id, name) if a cell is `check("id", name)` and nothing else, else None."""
    try:
        (statement,) = parse(source)
    except (SyntaxError, ValueError):
        return None
    match statement:
        case ast.Expr(ast.Call(ast.Name("check"), [ast.Constant(str(id)), ast.Name(name)], [])):
            return id, name
    return None


def imports_course(statement):
    """Whether a statement imports a module of the course."""
    for node in ast.walk(statement):
        imported = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if any(map(of_course, [*imported, getattr(node, "module", "")])):
            return True
    return False


def of_course(module):
    """Whether a name is that of the course's package or of a module in it."""
    return str(module).split(".")[0] == COURSE


# A page


class Notebook:
    """A notebook's code cells as statements.  sources: of the cells."""

    def __init__(self, sources):
        self.cells, self.broken, left = [[] for _ in sources], {}, CODE
        for place in sorted(range(len(sources)), key=lambda place: len(sources[place])):
            try:
                left -= len(sources[place])
                if left < 0:
                    raise SyntaxError(f"more than {CODE:,} characters of code are not read")
                self.cells[place] = parse(sources[place])
            except SyntaxError as error:
                self.broken[place] = error
        self.sources = sources
        self.binders = {}  # name → places (cell, statement)
        for i, cell in enumerate(self.cells):
            for j, statement in enumerate(cell):
                for name in bound(statement):
                    self.binders.setdefault(name, []).append((i, j))

    def answer(self, name):
        """Return the place that answers: the last one that is not open, else an open one, else None.

        Raises SyntaxError if the only answer stands in a cell that is not Python.
        """
        places = self.binders.get(name, [])
        given = [place for place in places if not is_open(self.cells[place[0]][place[1]])]
        if given:
            return given[-1]
        head = re.compile(rf"(?m)^(?:(?:async )?def\s+|class\s+)?{re.escape(name)}\b\s*[=(:,]")
        for place, error in self.broken.items():
            if head.search(self.sources[place]):
                raise error
        return places[-1] if places else None

    def text(self, name):
        """Return the text of the statement that answers; an empty one if none does, or it is open."""
        try:
            cell, statement = self.answer(name)
        except (SyntaxError, TypeError):
            return ""
        node = self.cells[cell][statement]
        return "" if is_open(node) else "\n".join(self.sources[cell].split("\n")[span(node)])

    def before(self, name, cell):
        """Return the places that set a name, those before a cell if there are any."""
        places = [place for place in self.binders.get(name, []) if place[0] != cell]
        return [place for place in places if place[0] < cell] or places


def explored(notebook):
    """Return the code cells of a notebook's content that show explorers, and those that they need."""
    return leading_to(notebook, "explore")


def leading_to(notebook, function):
    """Return the code cells of a notebook's content that mention a function, and those that they need."""
    cells = code_cells(notebook)
    page = Notebook([cell["source"] for cell in cells])
    todo = [i for i, cell in enumerate(page.cells) if any(function in used(statement) for statement in cell)]
    chosen = set()
    while todo:
        cell = todo.pop()
        if cell not in chosen:
            chosen.add(cell)
            todo += [i for name in needed(page.cells[cell]) for i, _ in page.before(name, cell) if i < cell]
    return [cells[i] for i in sorted(chosen)]


def find(notebook, name):
    """Return the code cell and the statement in it that ask for a name: the first open one, else the first.

    notebook: its content. Raises LookupError if no cell sets the name.
    """
    cells = code_cells(notebook)
    page = Notebook([cell["source"] for cell in cells])
    places = page.binders.get(name, [])
    if not places:
        raise LookupError(
            f"no cell of the notebook defines {name}; "
            f"the lesson needs a cell with `{name} = ...` or `def {name}(...): ...`"
        )
    cell, statement = min(places, key=lambda at: not is_open(page.cells[at[0]][at[1]]))
    return cells[cell], page.cells[cell][statement]


def helpers(name, learners, pristine, names):
    """Return what an answer leans on: statements of the lesson, then the learner's own, in their order.

    names: of all exercises. The lesson's own statement counts where it has one, whatever the learner's says.
    """
    cell = learners.answer(name)[0]
    here = pristine.binders.get(name, [(len(pristine.cells), 0)])[0][0]
    todo = list(needed(learners.cells[cell]))
    seen, chosen = {name, *BESIDE}, set()
    while todo:
        word = todo.pop()
        if word in seen:
            continue
        seen.add(word)
        lessons = word in pristine.binders and word not in names
        notebook, at = (pristine, here) if lessons else (learners, cell)
        for place in notebook.before(word, at):
            if (not lessons, place) not in chosen:
                chosen.add((not lessons, place))
                todo += needed([notebook.cells[place[0]][place[1]]])
    return [(learners if own else pristine).cells[i][j] for own, (i, j) in sorted(chosen)]
