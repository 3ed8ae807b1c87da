"""Names of tensors, their order, and which model they make.

Imports storage.

Read in this order:

    keys                     canonical names, their order, and the chromosomes they form
    expected_tensors         names and shapes that a configuration asks for
    sdxl_single_file         single-file (SGM) names, both ways, exact
    single_file_prefixes     whose keys those of a file are, whatever program wrote it
    sdxl_single_file_names   the names themselves
    sdxl                     what a single file does not hold: configurations, tokenizers
    prediction               noise or velocity: how files and people say it
    detection                which model a UNet is, and what it predicts
"""
