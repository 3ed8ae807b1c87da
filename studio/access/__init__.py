"""Who may do what in the studio: people and their roles, how they come in, and what is written down of what they did.

Knows no web framework and no page. Imports `studio.errors`, `studio.journal`, `pipelines.storage` and nothing else of
the house.

Read in this order:

    roles       viewer, judge, editor, owner: each may what the one before may
    people      the people of a studio, in `people.json` beside the runs
    passwords   how a password is kept and compared
    audit       a line for whatever changes something
    visitor     somebody who is in: a name, a role, and the audit
    sessions    who is in, by the cookie of a browser; who failed to come in too often
    door        all of it together: the token, names of addresses, a trusted proxy, logging in
"""
