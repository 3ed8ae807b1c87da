"""One individual as a checkpoint, a LoRA or a recipe.

wish         what somebody asks for, and the plan of it
steps        what the page previews and sends
on_disk      exports that were written: verify one, remove what is half-written
page         the layout and its handlers
"""
