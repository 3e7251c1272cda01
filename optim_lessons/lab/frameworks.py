"""A rule of the course in another library's training loop: PyTorch asks for a class."""

from collections.abc import Callable

import numpy as np

from optim_lessons.lab.knobs import check_names, check_value, parts
from optim_lessons.lab.path import stepper


def torch_optimizer(rule: Callable) -> type:
    """Return a `torch.optim.Optimizer` class that steps by a rule; its knobs are the options of the class.

        optimizer = torch_optimizer(my_adam)(model.parameters(), lr=0.01)

    rule: any function of the course's form, your own too. It gets each parameter as one vector w, a NumPy
    copy, and has a state for each, as PyTorch's own optimizers do. So a rule that measures the length of the
    whole gradient measures that of one parameter here. Parameter groups, `state_dict`, closures and PyTorch's
    schedulers work as usual. NumPy computes on the CPU: for learning, not for speed.
    Raises ImportError without PyTorch, TypeError for an option that is no knob, and what `path` raises.
    """
    import torch

    defaults = parts(rule).knobs

    class Rule(torch.optim.Optimizer):
        def __init__(self, params, **options):
            super().__init__(params, defaults | _checked(rule, options))

        def add_param_group(self, group):
            _checked(rule, {name: value for name, value in group.items() if name != "params"})
            super().add_param_group(group)

        @torch.no_grad()
        def step(self, closure=None):
            loss = None
            if closure is not None:
                with torch.enable_grad():
                    loss = closure()
            for group in self.param_groups:
                changed = [name for name in defaults if group[name] is not defaults[name]]
                knobs = {name: float(group[name]) for name in changed}
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        _move(rule, parameter, self.state[parameter], knobs)
            return loss

    Rule.__name__ = Rule.__qualname__ = getattr(rule, "__name__", "Rule")
    return Rule


def _checked(rule, options):
    check_names(rule, options)
    for name, value in options.items():
        if callable(value):
            raise TypeError(f"{name} is a function: in PyTorch a scheduler of torch.optim changes it")
        check_value(name, float(value))
    return options


def _move(rule, parameter, state, knobs):
    """Take one step of a rule: change a tensor, and its state, a dict name → tensor or number."""
    import torch

    names = list(parts(rule).state)
    g = _vector(parameter.grad)
    beginning, step = stepper(rule, lambda w: g, _vector(parameter), **knobs)
    known = [_unpacked(state[name], parameter.shape) for name in names] if state else beginning[1:]
    w, *after = step(0, beginning[0], *known)
    parameter.copy_(torch.from_numpy(w).reshape(parameter.shape))
    for name, x in zip(names, after, strict=True):
        if np.ndim(x) == 0:
            state[name] = x.item() if hasattr(x, "item") else x
        else:
            kept = torch.tensor(x, device=parameter.device)
            state[name] = kept.reshape(parameter.shape) if x.shape == w.shape else kept


def _vector(tensor):
    tensor = tensor.detach().cpu()
    if tensor.dtype.itemsize < 4:  # NumPy has no bfloat16, and the squares of small float16 numbers are 0
        tensor = tensor.float()
    return tensor.numpy().flatten()  # always a copy: no rule can write into a model


def _unpacked(x, shape):
    if not hasattr(x, "shape"):
        return x
    return _vector(x) if x.shape == shape else x.detach().cpu().numpy()
