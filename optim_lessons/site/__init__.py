"""The course as a static site: each lesson a page, each explorer live, without a kernel or a network.

record runs a lesson and writes down what its explorers show, recordings keeps that, pages and build make the
site.

Leans on: lab, course.
Leaned on by: nothing of the course.
"""
