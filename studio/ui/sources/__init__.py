"""The checkpoints that evolution starts from.

cards        a card per source: pictures, language, licence, strengths
similarity   how alike sources are
page         the layout and its handlers
"""
