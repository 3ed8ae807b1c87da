"""A better image of one prompt, searched for on a page: its fields, the search in hand, what it found.

May import what the pages share; whoever shows it hands in what is wanted.

Read in this order:

    fields      what can be chosen, and where it is shown
    found       the search itself, and what it found as HTML
    progress    the search in hand of each browser session
    wiring      its handlers
"""
