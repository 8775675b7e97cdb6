"""What a run reports beside its rows: warnings, errors, what is missing and why, the status."""

from __future__ import annotations

from .kernel.proc import reason

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NO_HOLDER = "no process holds it; the kernel itself may, or a message between processes"
NOTICES = 1000  # messages of one round: a file may hold millions of malformed lines


def ignore(text: str) -> None:
    """For callers who want no messages."""


class Outcome:
    """The only object that changes during a run.

    `warn` prints one message; `progress` shows how far a long work is. With `library` an error
    that ends a listing is raised to the caller instead of being printed.

    errors   files that exist and could not be read, and listings that could not be given; any
             makes the status 1
    lost     hosts that gave no answer, each with the reason; any makes the status 1
    failed   a host has answered with another status than 0
    told     what hosts say is missing from their answers, as records with the host
    hidden   what this user may not see, as (what, reason, count or None)
    unowned  sockets without an owner, and `owner_reasons` why
    matched  rows given
    ended    no further listing is given; `status` says why
    """

    def __init__(
        self,
        warn: Callable[[str], None] = ignore,
        progress: Callable[[str], None] = ignore,
        library: bool = False,
    ) -> None:
        self.print_notice, self.progress, self.library = warn, progress, library
        self.status = 0
        self.ended = False
        self.begin_round()

    def begin_round(self) -> None:
        """Forget what the last round reported; the status stays."""
        self.notices = 0
        self.errors: list[str] = []
        self.hidden: list[tuple[str, str, int | None]] = []
        self.lost: dict[str, str] = {}
        self.failed = False
        self.told: list[dict[str, Any]] = []
        self.unowned = self.matched = 0
        self.owner_reasons: list[str] = []

    def warn(self, message: str) -> None:
        """One message for the user, up to NOTICES in each round."""
        self.notices += 1
        if self.notices <= NOTICES:
            self.print_notice(message)
        elif self.notices == NOTICES + 1:
            self.print_notice(f"({NOTICES:,} notices; no more are shown.)")

    def error(self, path: str, error: OSError) -> None:
        """A file that exists and could not be read to its end."""
        self.fail(f"{path}: {reason(error)}")

    def fail(self, message: str) -> None:
        self.warn(message)
        self.errors.append(message)

    def lose(self, host: str, why: str) -> None:
        """A host that gave no answer; all others are given."""
        self.warn(f"pynetstat: {host}: {why}")
        self.lost[host] = why

    def unseen(self, what: str, why: str, count: int | None) -> None:
        """Rows or fields that this user may not see. That is no failure."""
        if (what, why, count) not in self.hidden:
            self.hidden.append((what, why, count))

    def end(self, message: str, status: int) -> None:
        """A listing cannot be given, and with it the run ends."""
        self.ended, self.status = True, status
        if message:
            self.fail(message)

    def exit_status(self, fail_if_empty: bool = False) -> int:
        empty = fail_if_empty and not self.matched
        return self.status or (1 if self.errors or self.lost or self.failed or empty else 0)

    def incomplete(self) -> list[dict[str, Any]]:
        """What is missing from what was given, and why: records {what, reason, count}, and of
        another host its name."""
        names = ("what", "reason", "count")
        missing = [("table", message, None) for message in self.errors] + self.hidden
        if self.unowned:
            why = "; ".join(self.owner_reasons) or NO_HOLDER
            missing.append(("owner", why, self.unowned))
        here = [dict(zip(names, found)) for found in missing]
        lost = [
            {"what": "host", "reason": why, "count": None, "host": host}
            for host, why in self.lost.items()
        ]
        return [*here, *self.told, *lost]
