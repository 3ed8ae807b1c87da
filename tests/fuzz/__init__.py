"""Fuzzers of everything that reads what others wrote.

mutations     what strangers make of a file
folders       readers of whole folders: a source, a scorer, a run
samples       a sound file of each kind
readers       each reader with the files it is given
test_readers  a short, repeatable part of it, for every change
__main__      an hour of it, or as long as is asked for: `make fuzz`
"""
