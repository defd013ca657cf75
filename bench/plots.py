"""Plots of a result: bars of ratios to the limit, and what a flow takes in tables of different sizes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot as plt

from bench.report import DUMPS, is_ours

OURS, LIMIT, OTHERS = "#d1495b", "#444444", "#8fa6b2"
# Lines that would fall on another's.
LEFT_OUT = {
    "fastnetlink dump, 3 NumPy columns",
    "fastnetlink dump, 3 Arrow columns",
    "fastnetlink iter_dump",
    "fastnetlink Conn.execute",
    "C nfct_query",
    "Python socket",
}
FAMILIES = {"C ": "#4c6a92", "Go": "#00a29c", "Rust": "#b7410e", "Python": "#c9a227", "pyroute2": "#c9a227"}


def colour(label: str, limit: str | None) -> str:
    if is_ours(label):
        return OURS
    if label == limit:
        return LIMIT
    return next((shade for start, shade in FAMILIES.items() if label.startswith(start)), OTHERS)


def style() -> None:
    plt.rcParams.update(
        {
            "svg.hashsalt": "fastnetlink",  # the same figures give the same file
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#dddddd",
            "axes.axisbelow": True,
            "figure.facecolor": "white",
        }
    )


def save(figure: Any, path: Path) -> Path:
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    return path


def bars(workload: dict[str, Any], path: Path) -> Path | None:
    """Ratios to the limit, where there are any."""
    ratios = {label: row["ratio"] for label, row in workload["cases"].items() if "ratio" in row}
    if len(ratios) < 2:
        return None
    labels = sorted(ratios, key=lambda label: ratios[label]["median"], reverse=True)
    medians = [ratios[label]["median"] for label in labels]
    figure, axes = plt.subplots(figsize=(7.5, 0.6 + 0.27 * len(labels)))
    drawn = axes.barh(labels, medians, color=[colour(label, workload["limit"]) for label in labels], height=0.7)
    axes.bar_label(drawn, [f"{median:.2f}" for median in medians], padding=4)
    if max(medians) > 8:
        axes.set_xscale("log")
        axes.set_xlim(min(0.8, *medians) * 0.95, max(medians) * 1.8)
        axes.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    else:
        axes.set_xlim(0, max(medians) * 1.12)
    axes.axvline(1, color=LIMIT, linewidth=1)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"times {workload['limit']}; less is better")
    axes.set_title(workload["title"], loc="left", fontsize=10)
    return save(figure, path)


def curves(workloads: dict[str, Any], path: Path) -> Path | None:
    """Time per flow against the number of flows, for each contender of the dumps."""
    dumps = {int(name.split("-")[1]): w for name, w in workloads.items() if re.fullmatch(r"dump-\d+", name)}
    if len(dumps) < 2:
        return None
    sizes = sorted(dumps)
    figure, axes = plt.subplots(figsize=(7.5, 5.5))
    ends: list[tuple[float, str, str]] = []
    for label in dumps[sizes[-1]]["cases"]:
        if label in LEFT_OUT:
            continue
        points = [(n, dumps[n]["cases"][label]["value"]["median"]) for n in sizes if label in dumps[n]["cases"]]
        shade = colour(label, dumps[sizes[-1]]["limit"])
        thick = 2.0 if shade in (OURS, LIMIT) else 1.2
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, color=shade, linewidth=thick)
        ends.append((points[-1][1], label, shade))
    axes.set_xscale("log")
    axes.set_yscale("log")
    # Names at the ends of the lines, moved apart.
    low, high = axes.get_ylim()
    step = (high / low) ** (1 / 26)
    at = low / step
    for value, label, shade in sorted(ends):
        at = max(value, at * step)
        axes.annotate(
            label,
            (sizes[-1], value),
            (sizes[-1] * 1.35, at),
            color=shade,
            fontsize=8,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": shade, "linewidth": 0.5, "relpos": (0, 0.5), "shrinkA": 0},
        )
    axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axes.minorticks_off()
    axes.set_xlabel("flows in the table")
    axes.set_ylabel("ns per flow; less is better")
    axes.set_title("Dump of the conntrack table", loc="left", fontsize=10)
    return save(figure, path)


def draw(workloads: dict[str, Any], folder: Path) -> dict[str, Path]:
    """All plots, into a folder that has no others then: their paths by workload."""
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.svg"):
        path.unlink()
    style()
    drawn = {name: bars(workload, folder / f"{name}.svg") for name, workload in workloads.items()}
    drawn[DUMPS] = curves(workloads, folder / f"{DUMPS}.svg")
    return {name: path for name, path in drawn.items() if path}
