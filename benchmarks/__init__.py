"""Run by hand or by `make bench`, never by the tests: each module prints a table; README.md says what it measures."""
