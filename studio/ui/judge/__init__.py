"""Two pictures, blind, and what the votes say.

blind_pair   a question: pictures under random addresses, answers, arrow keys
results      what Judge tells after the votes
page         the layout and its handlers
"""
