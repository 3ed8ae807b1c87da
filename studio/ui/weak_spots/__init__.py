"""What a run does not draw well, and what its numbers suggest.

page         the layout and its handlers
"""
