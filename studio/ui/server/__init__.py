"""The web application: routes, languages, pictures. Imports every page; nothing imports it but the command line.

app              the FastAPI application, both languages of every page, and the server
picture_routes   pictures of runs, sources, prompts and comparisons
"""
