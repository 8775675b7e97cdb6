"""`python -m pynetstat`, and the console script: signals first, then the command line."""

import _signal as signal  # type: ignore[import-not-found]  # `signal` takes 1 ms more
import errno
import gc
import os
import sys


def main() -> None:
    # As any C program: Ctrl-C ends it at once, and a closed pipe quietly, in every phase; but
    # what a shell has put into the background it has told to ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Hundreds of thousands of tuples and no cycles: looking for some takes a tenth of the time.
    gc.disable()
    # Closed: what is said has no place to go, and what is printed fails as it does on a full disk.
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")
    if sys.stdout is None:
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY), "w")
    status = 1
    try:
        start()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1 if end.code else 0
    except (OSError, MemoryError) as error:
        complain(error)
    try:
        sys.stdout.flush()
    except OSError as error:
        status = 1
        complain(error, "standard output: ")
    # No waiting for threads that wait for a name server, nor for the memory to be tidied.
    os._exit(status)


def start() -> None:
    """The command line. A shell that completes, and Windows, where a shell leaves `*` to the
    program, have what click does for them: its import takes 22 ms, longer than all the rest."""
    if os.environ.get("_PYNETSTAT_COMPLETE") or os.name == "nt":
        from .cli.command import main

        main(prog_name="pynetstat")
    else:
        from .cli.action import fields_of_words, run

        run(**fields_of_words(sys.argv[1:], "pynetstat"))


def complain(error: Exception, where: str = "") -> None:
    """One line for an error that no part of the program expected: where it is known, and what."""
    name = getattr(error, "filename", None)
    if name is not None:
        where = f"{name}: "
    what = os.strerror(errno.ENOMEM) if isinstance(error, MemoryError) else ""
    what = what or getattr(error, "strerror", None) or type(error).__name__
    from contextlib import suppress

    with suppress(OSError, MemoryError):
        print(ascii(f"pynetstat: {where}{what}")[1:-1], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
