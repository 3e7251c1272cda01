"""What makes it a course: exercises, checks, working copies and the command line.

check is what a notebook imports, cli what a terminal runs; submission judges one notebook, in a sandbox;
notebook is the one reader of notebooks, publish and audit are for those who write lessons. cli finds the
commands of teaching/ and site/ by their names, and loads only the one that is asked for.

Leans on: lab.
Leaned on by: teaching, site.
"""
