"""Where a learner's code runs: in the notebook with a watch, in a box when it is checked or graded.

box is the parent's side, child runs in the box, alone, beside course/notebook.py; walls say what keeps it in.
No answer is ever in there.

Leans on: lab, course/notebook.
Leaned on by: course, course/judging, teaching.
"""
