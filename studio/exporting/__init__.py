"""An individual as a checkpoint: plan, preview, write; its papers; whether it is still what it was.

Imports library, licences and runs.

Read in this order:

    export_names     names of exports
    card_content     what is known of a checkpoint beside its recipe
    licence_papers   what card and notice say of licences
    model_card       the model card
    certificate      what was measured of an export at its birth, and how
    export_plan      a merge with its card, recipe, licences and pictures, as a folder or a file
    lora_plan        a merge as a LoRA against a base, with the error that it makes
    written_export   what is known of an export once it is written
    woven_source     a merge by mergekit's rules, as a single file to breed from
    network_export   a merge of any other network, as a folder like its host's
    recipe_package   a zip from which the weights are rebuilt
    registry         exports as they lie on the disk, and which one is in use
    verification     an export beside its recipe, bit for bit
    hub_upload       an export to a repository of the hub
"""
