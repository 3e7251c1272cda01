"""What a check answers: a truth value, a text to read, and the name of the mistake."""

import re
import reprlib
from dataclasses import dataclass

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


@dataclass(frozen=True, repr=False, eq=False)
class Verdict:
    """An answer's verdict: true if it is right.

    text: what the learner reads; code stands in `backticks`.  mistake: its name, or None.
    done: False while the answer is still open.  heading: the words before the text, if not the usual ones.
    """

    right: bool
    text: str
    mistake: str | None = None
    done: bool = True
    heading: str = ""

    def __bool__(self):
        """Return whether the answer is right."""
        return self.right

    def __post_init__(self):
        """Set the usual heading: a symbol and a word, never a colour alone."""
        usual = "✓ Right." if self.right else "✗ Not yet." if self.done else "○ Still open."
        object.__setattr__(self, "heading", self.heading or usual)

    def __repr__(self):
        """Return symbol, word and text."""
        return f"{self.heading} {self.text}"

    def _repr_markdown_(self):
        name = f" *({self.mistake})*" if self.mistake else ""
        return f"**{self.heading}**{name} " + self.text.replace("\n", "\n\n")


def right(text):
    """Return the verdict on a right answer."""
    return Verdict(True, text)


def wrong(text, mistake=None, hint=""):
    """Return the verdict on a wrong answer; the hint stands on a line of its own."""
    return Verdict(False, f"{text}\nHint: {hint}" if hint else text, mistake)


def still_open(text):
    """Return the verdict on an answer that has not been given yet."""
    return Verdict(False, text, done=False)


def is_open(value):
    """Return whether a value is a placeholder: `...` or None."""
    return value is ... or value is None


def quote(value):
    """Return a value as short code in backticks, on one line, without addresses."""
    try:
        text = value if isinstance(value, Code) else _SHORT.repr(value)
    except Exception:  # a value may have a broken repr; the verdict still has to be readable
        text = f"<{type(value).__name__}>"
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(text.split())).replace("`", "'")
    return f"`{text if len(text) <= 100 else text[:97] + '...'}`"


class Code(str):
    """Text that is code already: `quote` adds no quotation marks to it."""

    __slots__ = ()


def listed(words, last="and"):
    """Return words as a list in a sentence: "m, v and t"."""
    *head, tail = list(words) or ["nothing"]
    return f"{', '.join(head)} {last} {tail}" if head else tail
