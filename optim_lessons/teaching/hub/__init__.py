"""The course on JupyterHub: a demo for one machine, and what a real class needs instead.

Leans on: course, teaching/alone.
Leaned on by: nothing of the course.
"""
