"""`python -m pytest_cpjob`: the command line."""

from pytest_cpjob.cli.parser import main

if __name__ == "__main__":
    raise SystemExit(main())
