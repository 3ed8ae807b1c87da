"""Start a run: what it is bred from and on, for how long, and what that will cost.

form_options  numbers and steps beyond the paper that the form offers: a row each
lent_parts    parts that others than the host lend, as lines of text
form          what a run is asked to do, as a form says it
form_values   the same as components have it, as a browser sends it, as an address asks for it
fields        a component for each field of the form
beginning     what a run will cost, and its beginning
page          the layout and its handlers
"""
