"""Two pictures, blind, and what the votes say.

blind_pair   a question: pictures under random addresses, answers, arrow keys
sitting      which question comes next to a rater, its answer, and taking that back
share_out    questions shared out among a team, and how far each rater is
results      what Judge tells after the votes
page         the layout and its handlers
"""
