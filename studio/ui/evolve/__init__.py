"""Start a run and watch it.

form_options  numbers and steps beyond the paper that the form offers: a row each
lent_parts    parts that others than the host lend, as lines of text
form          what a run is asked to do, as a form says it
fields        a component for each field of the form
run_control   begin, pause, go on, end; what a run will cost; which one the page shows
waiting       what is said of a run that waits for the machine
workers       who draws for a run that goes on; one more, one less
progress      what the page shows of a run while it goes on
plots         its plots
live_part     the components that show it, and what fills each
page          the layout and its handlers
"""
