"""The models of a run.

wall            a card for each, with pictures of the pinned prompts; its script
individual      one of them: pictures, recipe, family
shortlist       those that were starred: where they go, their page for a client, what clients said
picture_lookup  from a picture to the individual that drew it
page            the layout and its handlers
"""
