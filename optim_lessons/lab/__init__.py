"""The instruments that every lesson uses. They know no lesson.

path walks a rule, knobs reads its signature, guards refuse bad arrays; plots, canvas, panels, scenes, live,
frames, controls and explore draw, page/ is what runs in the browser; datasets, models, train and races are
the real data and fair contests; fused and sweep make a rule fast, by tape/. A learner's own rule works
wherever one of the course does.

Leans on: nothing of the course.
Leaned on by: bridge, studies, pictures, course, teaching, site.
"""
