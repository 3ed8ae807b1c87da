"""One individual as a checkpoint, a LoRA or a recipe.

wish         what somebody asks for, and the plan of it
steps        what the page previews and sends
page         the layout and its handlers
"""
