"""Licences: what is known of them, and what a merge inherits. Not legal advice.

Imports no other room.

Read in this order:

    catalogue     the licences that are known: a table, a row each
    inheritance   whose weights are in a merge, under which terms, and the texts that go along
"""
