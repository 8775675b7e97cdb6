"""getopt's manners, as netstat has them."""

import pytest

from pynetstat.cli.getopt import LONG, Bad, Word, option_words

OWN = {"filter": True, "format": True, "json": False, "program": True, "port": True}


def said(*argv: str, strict: bool = False) -> list[str]:
    return [
        word.name if word.value is None else f"{word.name}={word.value}"
        for word in option_words(argv, OWN, strict)
    ]


@pytest.mark.parametrize(
    ("argv", "meaning"),
    [
        (["-apA", "inet"], ["all", "programs", "protocol=inet"]),
        (["-apWA", "inet"], ["all", "programs", "wide", "protocol=inet"]),
        (["-Ainet,unix"], ["protocol=inet,unix"]),
        (["-46x"], ["protocol=inet", "protocol=inet6", "protocol=unix"]),
        (["foo", "-t", "bar", "-u"], ["tcp", "udp"]),
        (["-t", "--", "-u"], ["tcp"]),
        (["-d", "-n"], ["numeric"]),
        (["-c", "5"], ["continuous"]),
        (["-", "-t"], ["tcp"]),
        (["--inet"], ["protocol=inet"]),
        (["--ine"], ["protocol=inet"]),
        (["--x"], ["protocol=x25"]),
        (["--d"], ["protocol=ddp"]),
        (["--f"], ["fib"]),
        (["--unix"], ["protocol=unix"]),
        (["--tcpip"], ["tcpip"]),
        (["--e"], ["extend"]),
        (["--vers"], ["version"]),
        (["--protocol", "inet"], ["protocol=inet"]),
        (["--proto=inet"], ["protocol=inet"]),
        (["-?"], ["?"]),
        (["--filter", "sport = 1"], ["filter=sport = 1"]),
        (["--form", "csv"], ["format=csv"]),
        (["--json"], ["json"]),
        (["--program"], ["programs"]),
        (["--program", "-t"], ["programs", "tcp"]),
        (["--program", "nginx"], ["program=nginx"]),
        (["--program=nginx"], ["program=nginx"]),
    ],
)
def test_means(argv: list[str], meaning: list[str]) -> None:
    assert said(*argv) == meaning


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["-q"], "invalid option -- 'q'"),
        (["-tQ"], "invalid option -- 'Q'"),
        (["-A"], "option requires an argument -- 'A'"),
        (["--ip6"], "unrecognized option '--ip6'"),
        (["--foo=bar"], "unrecognized option '--foo=bar'"),
        (["--protocol"], "option '--protocol' requires an argument"),
        (["--filter"], "option '--filter' requires an argument"),
        (["--lis=x"], "option '--listening' doesn't allow an argument"),
        (["--json=1"], "option '--json' doesn't allow an argument"),
        (["--un"], "option '--un' is ambiguous; possibilities: '--unix' '--unix'"),
        (["--i"], "option '--i' is ambiguous; possibilities: '--ip' '--interfaces'"),
        (["--a"], "option '--a' is ambiguous; possibilities: '--ax25' '--all'"),
        (["--t"], "option '--t' is ambiguous; possibilities: '--tcpip' '--tcp' '--timers'"),
        (["--s=1"], "option '--s=1' is ambiguous; possibilities: '--sctp' '--statistics'"
                    " '--symbolic'"),
        (["--r"], "option '--r' is ambiguous; possibilities: '--rose' '--route' '--raw'"
                  " '--rfcomm'"),
        (["--num"], "option '--num' is ambiguous; possibilities: '--numeric' '--numeric-hosts'"
                    " '--numeric-ports' '--numeric-users'"),
        (["--u"], "option '--u' is ambiguous; possibilities: '--unix' '--udp' '--udplite'"
                  " '--unix'"),
    ],
)  # fmt: skip
def test_complains(argv: list[str], complaint: str) -> None:
    with pytest.raises(Bad) as bad:
        said(*argv)
    assert str(bad.value) == complaint


def test_options_before_a_bad_one_are_still_said() -> None:
    """-V and -h end the program before what follows is looked at."""
    found = option_words(["-V", "-q"], OWN)
    assert next(found) == Word("version")


def test_posixly_correct_stops_at_the_first_operand() -> None:
    assert said("-t", "foo", "-u", strict=True) == ["tcp"]


def test_our_options_take_nothing_from_netstat() -> None:
    """Every abbreviation that netstat understands means the same with ours beside it."""
    for name, _ in LONG:
        for length in range(1, len(name) + 1):
            typed = f"--{name[:length]}"
            outcomes = []
            for own in ({}, {**OWN, "proc": True, "count": True, "top": True, "sort": True}):
                try:
                    outcomes.append(next(option_words([typed, "inet"], own)))
                except Bad as bad:
                    outcomes.append(str(bad))
            if typed != "--program":  # ours where a name follows
                assert outcomes[0] == outcomes[1], typed
