"""`python -m pynetstat`, and the console script: signals first, then the command line."""

import contextlib
import gc
import os
import signal
import sys


def main() -> None:
    # As any C program: Ctrl-C ends it at once, and a closed pipe quietly, in every phase; but
    # what a shell has put into the background it has told to ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Hundreds of thousands of tuples and no cycles: looking for some takes a tenth of the time.
    gc.disable()
    from .cli import main

    status = 1
    try:
        main(prog_name="pynetstat")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1 if end.code else 0
    except (OSError, MemoryError) as error:
        complain(error)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError as error:
        status = 1
        complain(error)
    # No waiting for threads that wait for a name server, nor for the memory to be tidied.
    os._exit(status)


def complain(error: Exception) -> None:
    """What no part of the program expected, in one line all the same."""
    where = getattr(error, "filename", None) or "standard output"
    what = getattr(error, "strerror", None) or type(error).__name__
    with contextlib.suppress(OSError, AttributeError):
        print(f"pynetstat: {where}: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
