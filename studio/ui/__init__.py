"""The studio in a browser: four pages in English and Japanese.

Read in this order:

    app         the FastAPI application, its routes and the server
    shared      what pages have in common: runs by name, the frame of a page, errors as messages
    views       HTML fragments that no Gradio component draws: strips, tables of pictures
    maps        drawings of a run: niches, depth
    evolve, archive, compare, export    one page each: handlers are plain functions, then `page` wires them
"""
