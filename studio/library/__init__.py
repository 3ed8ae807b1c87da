"""The sources and prompt sets a studio knows.

Imports runs.

Read in this order:

    source_library     the embedded family, the sources of runs, those that somebody added
    fetch              a source brought here from the hub or out of a pickled file
    source_description what a source is in plain words, and what is wrong with it
    host_choice        who lends what is not merged
    adapter_notes      what of a LoRA on a source is not used, and how to use it
    merge_notes        what else of a merge somebody may not expect
    source_strengths   what each source is good at, as measured in runs
    prompt_library     prompt sets: those that come along, and one's own
    caption_lengths    how long captions are for those who read them
    model_reference    what a person may name: a source, a recipe file, RUN:INDIVIDUAL
"""
