"""Print the README's table of speeds and draw assets/step_cost.png, from what the benchmarks measured.

    pytest tests/benchmarks --benchmark-only --benchmark-json=speed.json
    python assets/make_benchmark_table.py speed.json [gpu.json]

gpu.json comes from tests/benchmarks/gpu_report.py. Times are the best of many rounds.
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image

HERE = Path(__file__).parent
# Okabe and Ito's colours, safe for the colour-blind; a line style each, for those who see no colours.
STYLES = {
    "plain": ("#000000", "-", "plain rule"),
    "fused, blocks": ("#0072b2", "--", "fused, NumPy blocks"),
    "fused, Numba": ("#0072b2", "-", "fused, with Numba"),
    "torch": ("#e69f00", "--", "torch.optim.Adam"),
    "torch foreach": ("#e69f00", ":", "torch, foreach=True"),
    "torch fused": ("#e69f00", "-", "torch, fused=True"),
    "GPU plain": ("#009e73", "--", "plain rule, GPU"),
    "GPU fused": ("#009e73", "-", "fused, GPU"),
    "GPU torch fused": ("#d55e00", "-", "torch, fused=True, GPU"),
}


def main(paths):
    """Read the files, print the tables, draw the picture."""
    reports = [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]
    steps = {}  # (who, dtype) → {size: seconds}
    for report in reports:
        for who, size, dtype, seconds in _steps(report):
            sizes = steps.setdefault((who.removesuffix(", one thread"), dtype), {})
            sizes[size] = min(seconds, sizes.get(size, seconds))
    print("\n\n".join([_machine(reports[0]), _step_table(steps), *_others(reports[0])]))
    with plt.style.context(HERE / "optim_lessons.mplstyle"):
        _draw(steps).savefig(HERE / "step_cost.png", dpi=100)
    with Image.open(HERE / "step_cost.png") as picture:  # few colours need few bytes
        picture.convert("RGB").quantize(64).save(HERE / "step_cost.png", optimize=True)
    print(f"\nwrote {HERE / 'step_cost.png'}", file=sys.stderr)


def _steps(report):
    for row in report.get("benchmarks", []):
        info = row["extra_info"]
        if info.get("kind") == "step":
            yield info["who"], info["size"], info["dtype"], row["stats"]["min"]
    for row in report.get("steps", []):
        yield row["who"], row["size"], row["dtype"], row["seconds"]


def _machine(report):
    info = report["machine_info"]
    libraries = ", ".join(f"{name} {version}" for name, version in info["libraries"].items())
    where = f"{info['cores']} cores of {info['cpu']['brand_raw']}, Python {info['python_version']}"
    return f"Measured on {where}, {libraries}."


def _step_table(steps):
    columns = [(10, "float32"), (10**5, "float32"), (10**7, "float32"), (10**7, "float64")]
    lines = ["| one Adam step | " + " | ".join(f"{size:,} {dtype}" for size, dtype in columns) + " |"]
    lines.append("|---" + "|---:" * len(columns) + "|")
    for who, (_, _, label) in STYLES.items():
        if any(who == name for name, _ in steps):
            cells = [_time(steps.get((who, dtype), {}).get(size)) for size, dtype in columns]
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _others(report):
    for row in report["benchmarks"]:
        info, seconds = row["extra_info"], row["stats"]["min"]
        if info.get("kind") == "sweep":
            yield f"{info['who']}: {info['runs'] / seconds:,.0f} runs of {info['steps']} steps a second"
        elif info.get("kind") == "overhead":
            yield f"Python's part in a fused call: {_time(seconds)}"


def _time(seconds):
    if seconds is None:
        return ""
    unit, factor = next(
        (u, f) for u, f in [("s", 1), ("ms", 1e3), ("µs", 1e6)] if seconds * f >= 1 or u == "µs"
    )
    return f"{seconds * factor:.{0 if seconds * factor >= 20 else 1}f} {unit}"


def _draw(steps):
    figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for who, (colour, line, label) in STYLES.items():
        cost = steps.get((who, "float32"))
        if cost:
            ax.loglog(*zip(*sorted(cost.items()), strict=True), line, color=colour, label=label, marker=".")
    ax.set(xlabel="weights", ylabel="seconds per step", title="One Adam step, float32")
    ax.grid(alpha=0.3)
    ax.legend()
    return figure


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
