"""What pages share. Imports no page.

studio        runs, sources and prompt sets as a page sees them, and errors as messages
address       what an address asks for, and what of it is not there
open_folders  what a page may be asked to read
html          fragments that no Gradio component draws: strips, tables of pictures
reviews       what clients said, as pages show it
thumbnails    small pictures, compressed once
shortlist     a field of models filled with it, an address that asks for it
shared        answers made once for everybody who asks at the same moment
who_asks      the visitor behind a request, and what a handler needs of one
cancellable   work that takes long, with its cancel button
pace          how long what is left of it takes
"""
