"""`python -m prunella` is the command `prunella`."""

from prunella.cli import main

if __name__ == "__main__":
    main()
