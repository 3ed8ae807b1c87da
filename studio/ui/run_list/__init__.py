"""The runs of the studio beside every page: a picture, a name, how each stands; one click shows the page of another.

It may import what the pages share, and nothing of a page. The list is asked for when somebody opens it, not before: a
page that loads pays nothing for it.

entries    what is shown of each run
routes     where the browser asks for that
run_list   the script in the browser
"""
