"""The runs of the studio: beside every page as a list, and over it as a table to sort.

It may import what the pages share, and nothing of a page. Both are asked for when somebody opens them, not before: a
page that loads pays nothing for them.

entries    what is shown of each run
table      the figures to sort runs by
routes     where the browser asks for that, and says what a run is called
run_list   the script of the list
run_table  the script of the table
run_notice the script that tells when a run ends
"""
