"""What a teacher needs: grading a class, the guide for each hour, sheets to hand out.

grade, guide_command, summary, nbgrader_course and hub/ are commands; report writes the pages of a graded
class, handed_in and platforms say whose a file is, similar looks for answers that were copied.

Leans on: lesson modules, lab, studies, course.
Leaned on by: nothing of the course.
"""
