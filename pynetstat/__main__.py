"""`python -m pynetstat`, and the console script: signals first, then the command line."""

import gc
import os
import signal
import sys


def main() -> None:
    # As any C program: Ctrl-C ends it at once, and a closed pipe quietly, in every phase.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Hundreds of thousands of tuples and no cycles: looking for some takes a tenth of the time.
    gc.disable()
    from .cli import main

    try:
        main(prog_name="pynetstat")
    except SystemExit as end:
        # No waiting for threads that wait for a name server, nor for the memory to be tidied.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(end.code if isinstance(end.code, int) else 1 if end.code else 0)


if __name__ == "__main__":
    main()
