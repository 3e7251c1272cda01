"""optim_lessons: how optimizers work, from gradient descent to Adam and beyond.

A lesson's module has the lesson's name:

    gradient_descent  landscapes  sgd  momentum  nesterov  adagrad  rmsprop  adam

and so on: what a lesson proves, and nothing else.

Every update rule is a plain function of the weights, the gradient and the rule's own state::

    from optim_lessons.adam import adam
    w, m, v, t = adam(w, g, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8)

`optim_lessons.lab` holds the instruments (paths, pictures, sliders), `optim_lessons.course` the exercises,
their checks and the command line, `optim_lessons.teaching` what a teacher needs. The notebooks bring them
together: type ``optim-lessons`` in a terminal.

Leans on: nothing but NumPy.
Leaned on by: bridge, studies, pictures, course/exercises, teaching.
"""

__version__ = "0.1.0"
