"""--diagnose as OpenMetrics, for Prometheus: findings, and the values that the rules looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .host import Host

if TYPE_CHECKING:
    from . import Judgement


def diagnosis_metrics(judgement: Judgement, host: Host, status: int) -> Iterator[bytes]:
    prefix = "pynetstat_diagnosis"
    lines = [
        f"# TYPE {prefix}_status gauge",
        f"# HELP {prefix}_status 0 nothing, 1 warning, 2 critical, 3 could not check.",
        f"{prefix}_status {status}",
        f"# TYPE {prefix}_duration_seconds gauge",
        f"# UNIT {prefix}_duration_seconds seconds",
        f"# HELP {prefix}_duration_seconds Time between the two samples.",
        f"{prefix}_duration_seconds {host.seconds:.3f}",
        f"# TYPE {prefix}_finding gauge",
        f"# HELP {prefix}_finding What a rule found: its number of findings of a severity.",
    ]
    found: dict[tuple[str, str], int] = {}
    for one in judgement.findings:
        found[one.rule, one.severity] = found.get((one.rule, one.severity), 0) + 1
    for (rule, severity), number in found.items():
        lines.append(f'{prefix}_finding{{rule="{rule}",severity="{severity}"}} {number}')
    lines.append(f"# TYPE {prefix}_value gauge")
    lines.append(f"# HELP {prefix}_value A number that a rule looked at.")
    for value in judgement.values:
        labels = f'rule="{value.rule}",name="{value.name}"'
        lines.append(f"{prefix}_value{{{labels}}} {value.value:.15g}")
    yield "\n".join([*lines, "# EOF", ""]).encode()
