"""A plot of latencies by percentile, as an SVG file that any browser shows."""

from __future__ import annotations

from math import log10
from statistics import quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 400, 60, 200, 40, 40
PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9)
COLOURS = ("#888888", "#b8860b", "#1f77b4", "#2ca02c", "#d62728", "#9467bd")


def percentiles_ms(seconds: Sequence[float]) -> list[float]:
    cuts = quantiles(seconds, n=1000, method="inclusive")
    return [cuts[round(percentile * 10) - 1] * 1e3 for percentile in PERCENTILES]


def plot(series: Mapping[str, Sequence[float]], file: Path, *, title: str) -> None:
    """Write a line for each of *series*, name → seconds; the scale of milliseconds is log."""
    lines = {name: percentiles_ms(seconds) for name, seconds in series.items()}
    values = [value for line in lines.values() for value in line]
    low, high = 10 ** int(log10(min(values)) - 1), max(values) * 1.5
    inner = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(number: int) -> float:
        return LEFT + inner[0] * number / (len(PERCENTILES) - 1)

    def y(value: float) -> float:
        return TOP + inner[1] * (1 - log10(value / low) / log10(high / low))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="14">{title}</text>',
    ]
    for number, percentile in enumerate(PERCENTILES):
        parts.append(
            f'<text x="{x(number):.0f}" y="{HEIGHT - 15}" text-anchor="middle">'
            f"p{percentile:g}</text>"
        )
    for tick in (step * 10**power for power in range(-2, 5) for step in (1, 2, 5)):
        if low <= tick <= high:
            parts.append(
                f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"'
                f' stroke="#dddddd"/><text x="{LEFT - 8}" y="{y(tick) + 4:.1f}"'
                f' text-anchor="end">{tick:g} ms</text>'
            )
    for (name, line), colour in zip(lines.items(), COLOURS, strict=False):
        points = " ".join(f"{x(number):.1f},{y(value):.1f}" for number, value in enumerate(line))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(
            f'<text x="{WIDTH - RIGHT + 8}" y="{y(line[-1]) + 4:.1f}" fill="{colour}">{name}</text>'
        )
    file.write_text("\n".join([*parts, "</svg>", ""]))
