"""Models beside each other, on any caption.

models       who is compared: individuals of any run, recipe files, sources
cells        what is drawn where, and what a picture is known by
stored       pictures and scores that a run kept of it
grid         what there is of a comparison, and drawing what it lacks
grid_html    the grid as HTML
downloads    contact sheets as files
page         the layout and its handlers
"""
