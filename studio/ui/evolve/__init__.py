"""Start a run and watch it.

form         what a run is asked to do, as components
fields       a component for each key of a run file
run_control  begin, pause, go on, end; what a run will cost; which one the page shows
progress     what the page shows of a run while it goes on
page         the layout and its handlers
"""
