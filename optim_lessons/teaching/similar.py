"""Functions of several learners with one text, once their names are taken off. Only --similar asks."""

import ast
import builtins

WARNING = (
    "These functions are the same once variables are renamed and comments taken out. Short rules look alike "
    "whoever writes them, and many follow the page word by word: this list accuses nobody. Ask for an "
    "explanation aloud."
)
_LEAST = 10  # statements and operations: below, everybody writes the same


def similar(records):
    """Return a list of {id, learners, text}: functions that at least two learners have in common."""
    groups, texts = {}, {}
    for record in records:
        for result in record["results"] if record.get("counts") else ():
            form = shape(result.get("answer", ""))
            if form:
                groups.setdefault((result["id"], form), set()).add(record["learner"])
                texts.setdefault((result["id"], form), result["answer"])
    return [
        {"id": key[0], "learners": sorted(names), "text": texts[key]}
        for key, names in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        if len(names) > 1
    ]


def shape(source):
    """Return a function's text without names, comments and docstring; "" for what is short or none."""
    try:
        (function,) = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    if not isinstance(function, ast.FunctionDef):
        return ""
    if ast.get_docstring(function, clean=False) is not None:
        function.body = function.body[1:] or [ast.Pass()]
    own = {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)} | {
        n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    own -= set(dir(builtins))
    function.name = "f"
    names = {}
    for node in ast.walk(function):
        for field in ("id", "arg"):
            if getattr(node, field, None) in own:
                setattr(node, field, names.setdefault(getattr(node, field), f"v{len(names)}"))
    if sum(isinstance(n, ast.stmt | ast.operator | ast.Call) for n in ast.walk(function)) < _LEAST:
        return ""
    return ast.unparse(function)
