"""`python -m studio.cli`: the command line without an installed script."""

from studio.cli.app import main

if __name__ == "__main__":
    main()
