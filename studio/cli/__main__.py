"""`python -m studio.cli`: the command line without an installed script."""

from .app import main

if __name__ == "__main__":
    main()
