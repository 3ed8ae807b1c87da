"""The checkpoints that evolution starts from.

cards        a card per source: pictures, language, licence, strengths
adding       new ones: what would be added, and the work
similarity   how alike sources are
checking     what is broken in them
page         the layout and its handlers
"""
