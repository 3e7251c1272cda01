"""Judge an answer: the kinds of exercises, the named mistakes, the verdicts."""
