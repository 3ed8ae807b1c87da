"""The individuals of a run.

individual      one of them: pictures, recipe, family
picture_lookup  from a picture to the individual that drew it
page            the layout and its handlers
"""
