"""Judge an answer: the kinds of exercises, the named mistakes, the verdicts.

It knows no exercise: what is asked, and what is right, comes from the table.

Leans on: lab, course/sandbox.
Leaned on by: course, course/exercises, teaching.
"""
