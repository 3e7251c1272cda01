"""What makes it a course: exercises, checks, working copies and the command line.

check is what a notebook imports, cli what a terminal runs: it finds the commands, those of teaching/ and
site/ too, by their names, and loads only the one that is asked for. arguments has what commands share,
refused what they raise. submission judges one notebook, in a sandbox; notebook is the one reader of
notebooks; files that end in _command are commands.

Leans on: lab.
Leaned on by: teaching, site.
"""
