"""--limit RULE.NAME=VALUE: other limits than the built-in ones."""

from __future__ import annotations

from collections.abc import Iterable

from ..options import Misuse, nearest
from .rule import Rule


def limited(rules: list[Rule], given: Iterable[str]) -> list[Rule]:
    """The rules with these limits; Misuse for an unknown limit, or one that is not a number."""
    known = {rule.name: rule for rule in rules}
    for text in given:
        name, equals, word = text.partition("=")
        number = value_of(word)
        if not equals or number is None:
            raise Misuse(f"--limit {text}: not of the form RULE.NAME=NUMBER, such as"
                         " close-wait-leak.sockets=50")  # fmt: skip
        rule_name, _, limit_name = name.partition(".")
        rule = known.get(rule_name)
        if rule is None or limit_name not in rule.thresholds:
            valid = [f"{rule.name}.{limit.name}" for rule in rules for limit in rule.limits]
            here = "; `pynetstat --help diagnose` lists them"
            some = f"; of {rule_name} there are: {', '.join(rule.thresholds)}" if rule else ""
            raise Misuse(f"no limit `{name}'{nearest(name, valid) or some or here}")
        changed = [limit._replace(value=number) if limit.name == limit_name else limit
                   for limit in rule.limits]  # fmt: skip
        known[rule_name] = rule._replace(limits=tuple(changed))
    return list(known.values())


def value_of(word: str) -> float | None:
    """A number, or a percentage (10% is 0.1)."""
    share = word.endswith("%")
    try:
        number = float(word.rstrip("%"))
    except ValueError:
        return None
    if not 0 <= number < 1e18:  # neither negative nor nan nor endless
        return None
    number = number / 100 if share else number
    return int(number) if number.is_integer() else number
