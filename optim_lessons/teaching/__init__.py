"""What a teacher needs: grading a class, the guide for each hour, sheets to hand out.

Files that end in _command are commands, and so is hub/; grade makes the records of a class, report their
pages, handed_in and platforms say whose a file is, similar looks for answers that were copied.

Leans on: lesson modules, lab, studies, course.
Leaned on by: nothing of the course.
"""
