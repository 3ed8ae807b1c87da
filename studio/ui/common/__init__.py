"""What pages share. Imports no page.

studio        runs, sources and prompt sets as a page sees them, and errors as messages
open_folders  what a page may be asked to read
html          fragments that no Gradio component draws: strips, tables of pictures
thumbnails    small pictures, compressed once
cancellable   work that takes long, with its cancel button
"""
