"""What a page of pictures begins with, shown while Gradio still starts: Archive's wall, Evolve's film.

It may import those pages and what pages share; the server puts it into them.

content      the beginning of each page, drawn by what draws the page
routes       where the browser asks for it
insertion    its script, in the page before everything else
first_look   the script in the browser, and how it looks beside what all pages look like
"""
