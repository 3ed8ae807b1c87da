"""Models beside each other, on any caption: a matrix, a playground, and what lies between two models.

choice       what somebody chose, and the address that says so
models       who is compared: individuals of any run, recipe files, sources
blend        the stops between two of them, and the recipe of where the sliders stand
more         a fork of the run that begins with those that are compared
cells        what is drawn where, and what a picture is known by
stored       pictures and scores that a run kept of it
grid         what there is of a comparison, and drawing what it lacks
progress     the drawing in hand: how far it is, and the pictures that came of late
matrix_html  a comparison as HTML, and the cells that fill it
overlay      two pictures on one place
view         what every part of the page shows of a choice
downloads    contact sheets as files
fields       the layout
page         its handlers
"""
