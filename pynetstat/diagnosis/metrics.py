"""--diagnose as OpenMetrics, for Prometheus: findings, and the values that the rules looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..formats.openmetrics import escaped_label

if TYPE_CHECKING:
    from . import Judgement


def diagnosis_metrics(judgement: Judgement, status: int) -> Iterator[bytes]:
    prefix = "pynetstat_diagnosis"
    seconds = max((host.seconds for host in judgement.hosts), default=0.0)
    lines = [
        f"# TYPE {prefix}_status gauge",
        f"# HELP {prefix}_status 0 nothing, 1 warning, 2 critical, 3 could not check.",
        f"{prefix}_status {status}",
        f"# TYPE {prefix}_duration_seconds gauge",
        f"# UNIT {prefix}_duration_seconds seconds",
        f"# HELP {prefix}_duration_seconds Time between the two samples.",
        f"{prefix}_duration_seconds {seconds:.3f}",
        f"# TYPE {prefix}_finding gauge",
        f"# HELP {prefix}_finding What a rule found: its number of findings of a severity.",
    ]
    found = Counter((one.rule, one.severity, one.netns) for one in judgement.findings)
    for (rule, severity, netns), number in found.items():
        labels = f'rule="{rule}",severity="{severity}"{netns_label(netns)}'
        lines.append(f"{prefix}_finding{{{labels}}} {number}")
    lines.append(f"# TYPE {prefix}_value gauge")
    lines.append(f"# HELP {prefix}_value A number that a rule looked at.")
    for value in judgement.values:
        labels = f'rule="{value.rule}",name="{value.name}"{netns_label(value.netns)}'
        lines.append(f"{prefix}_value{{{labels}}} {value.value:.15g}")
    yield "\n".join([*lines, "# EOF", ""]).encode()


def netns_label(netns: str | None) -> str:
    """A label for a network namespace that is not our own."""
    return f',netns="{escaped_label(netns)}"' if netns else ""
