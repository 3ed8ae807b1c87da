"""One individual as a checkpoint.

steps        what the page plans, previews and sends
page         the layout and its handlers
"""
