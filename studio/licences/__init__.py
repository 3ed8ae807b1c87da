"""Licences: what is known of them, and what a merge inherits. Not legal advice.

Imports no other room.

Read in this order:

    permissions   what people may do with a model, in six columns
    catalogue     the licences that are known: a table, a row each
    names         the row that is meant by whatever a card or a header writes
    claims        what Civitai claims, where no licence says
    combination   which licences do not go together, and why
    inheritance   whose weights are in a merge, under which terms, and the texts that go along
    ledger        the six columns of several models, and of all of them together
    gate          weights are written where licences let them be, or where somebody states why
"""
