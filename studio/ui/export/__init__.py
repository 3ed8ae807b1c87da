"""One individual as a checkpoint, a LoRA or a recipe.

wish         what somebody asks for, and the plan of it
licences     what licences ask and permit, and what somebody states
steps        what the page previews and sends
who_step     the step about whom to export, and its name
licence_step the step about licences
publish      the recipe, published with one click
on_disk      exports that were written: verify one, remove what is half-written
page         the layout and its handlers
"""
