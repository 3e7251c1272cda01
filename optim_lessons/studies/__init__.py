"""Experiments that more than one room needs: arrays in, arrays out, no pictures and no words for learners.

Leans on: lesson modules, bridge, lab.
Leaned on by: pictures, course/exercises, teaching.
"""
