"""The pictures of each lesson, in a module with the lesson's name: still ones and scenes for `explore`.

Only notebooks show them, and the scripts in assets/: no room needs a picture.

Leans on: lesson modules, lab, studies.
Leaned on by: nothing of the course.
"""
