"""Watch a run and steer it.

run_control   pause, end, go on
waiting       what is said of a run that waits for the machine
workers       who draws for a run that goes on; one more, one less
progress      what the page shows of a run while it goes on
plots         its plots, and their rows
learned       a map of its recipes, and which source helps which prompts: folded, and learned when it is unfolded
live_part     the components that show it, and what fills each
page          the layout and its handlers
"""
