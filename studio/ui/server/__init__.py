"""The web application: routes, languages, pictures. Imports every page; nothing imports it but the command line.

origin           where a request comes from: host, page, proxy
route_roles      what each address needs
answer_headers   what every answer tells the browser
gate             the gate in front of it all: who asks, and may they
plain_pages      templates of pages without Gradio
log_in_page      logging in and out
memory           what a server keeps of the memory that it once needed
look             the theme, and the scripts of every page
lost_page        what an address that is none leads to
app              the FastAPI application, both languages of every page, and the server
handler_table    the list of handlers by role, to print
picture_routes   pictures of runs, sources, prompts and comparisons
"""
