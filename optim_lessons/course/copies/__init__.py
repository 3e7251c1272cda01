"""The learner's working copies: made, upgraded, never overwritten.

workbook knows the lessons and writes files, upgrade brings editions, changes and carry compare and fill them,
damage names what keeps a file from being opened.

Leans on: lab, course/notebook, course/refused.
Leaned on by: course, teaching, site.
"""
