"""A recipe to a checkpoint that other tools open, and back: is it still what its recipe says?

Imports weaving and the rooms below.

Read in this order:

    drafts        results take their place when they are whole, all or none
    metadata      what a single file says of itself in its header
    provenance    where a merge comes from: origins, ancestors, file hashes
    places        where this machine keeps the sources of what it has written, for no file says it
    manifest      what was written into an export, by hash
    single_file   what a single file holds
    export        a diffusers folder, a single file, or a network's own files
    lora_export   a LoRA against a base, and the error it makes
    verify        weave again and compare, tensor by tensor
"""
