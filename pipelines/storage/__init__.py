"""Files: whole or not at all, read, pickled; room on the disk.

Imports no other room.

Read in this order:

    unfinished    what is not finished yet: its name, and what killed processes left of it
    files         cache places, and files that appear whole or not at all
    past_cache    files of gigabytes, written and read past the page cache
    disk_space    room on the disk, asked for before anything big is written
    unreadable_files  why a file cannot be read as weights
    tensor_file   a safetensors file: checked when opened, read from its descriptor
    formats       endings of files and codes of dtypes, by name
    finite        whether numbers of a tensor are numbers
    pickled       `.ckpt`, `.pt`, `.bin`: read as weights only, turned into safetensors once
    parallel      blocks of work on every core
"""
