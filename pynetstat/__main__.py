"""`python -m pynetstat`, and the console script: signals first, then the command line."""

import signal


def main() -> None:
    # As any C program: Ctrl-C ends it at once, and a closed pipe quietly, in every phase.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    from .cli import main

    main(prog_name="pynetstat")


if __name__ == "__main__":
    main()
