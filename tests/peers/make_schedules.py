"""Ask PyTorch, optax and Keras for the learning rates of their schedules and keep them: schedules.json.

pip install -e ".[peers]" && python tests/peers/make_schedules.py
"""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import keras
import optax
import torch

STEPS = 60
keras.config.set_floatx("float64")


def from_torch(make, lr):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(optimizer)
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def of_t(schedule):
    return [float(schedule(t)) for t in range(STEPS)]


torch_schedulers = torch.optim.lr_scheduler
decays = keras.optimizers.schedules
SCHEDULES = {
    "torch step": from_torch(lambda o: torch_schedulers.StepLR(o, 7, gamma=0.3), 0.2),
    "torch exponential": from_torch(lambda o: torch_schedulers.ExponentialLR(o, gamma=0.9), 0.2),
    "torch linear": from_torch(lambda o: torch_schedulers.LinearLR(o, 0.25, 1.0, total_iters=12), 0.4),
    "torch cosine": from_torch(lambda o: torch_schedulers.CosineAnnealingLR(o, STEPS, eta_min=0.01), 0.2),
    "torch one cycle": from_torch(lambda o: torch_schedulers.OneCycleLR(o, 0.5, total_steps=STEPS), 0.1),
    "keras exponential": of_t(decays.ExponentialDecay(0.2, decay_steps=13, decay_rate=0.5)),
    "keras inverse time": of_t(decays.InverseTimeDecay(0.2, decay_steps=13, decay_rate=1.0)),
    "keras cosine": of_t(decays.CosineDecay(0.2, decay_steps=40, alpha=0.05)),
    "optax warm-up and cosine": of_t(
        optax.warmup_cosine_decay_schedule(0.0, 0.2, warmup_steps=10, decay_steps=50, end_value=0.02)
    ),
}

if __name__ == "__main__":
    Path(__file__).with_name("schedules.json").write_text(json.dumps(SCHEDULES) + "\n")
