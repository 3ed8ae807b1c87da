"""How the embedded family is made. Run by hand, in this order; never by users or tests.

Read the modules in the order in which the data flows:

    settings      folders, sizes, categories and styles
    data          names and pictures of emoji, fetched by npm
    more_styles   the same names by other artists, for the scorers
    colours       colours in words, and how a picture gets another one
    tokenizer     the byte-level BPE of both languages
    phrases       what a picture may be called: names, keywords, colours, two things
    views         every picture with every caption, as rows of numbers on the device that trains
    loop          the training loop: schedule, moving average, checkpoints, resuming, CUDA graphs
    vae           64x64 pictures to 8x8x8 latents and back
    unet          the denoising model, its loss and its lessons
    base          the ancestor, and a shorter training whose stages the scorers learn from
    japanese      the text encoders of `ja`
    specialist    the six sources that came apart from the ancestor by themselves
    sample        pictures and mixtures of weights with plain torch
    stages        what the shorter training drew at many stages, for the scorers
    augment       pictures moved, recoloured, restyled and spoilt
    judges        the scorers: judge and jury
    sharpen       the VAE's decoder once more, beside a critic
    measure       what scorers give to pictures of every kind
    prompts       the two prompt sets
    family        what the published sources are made of
    published     what is published, read again
    publish       folders, files and scorers in half precision
    check_family  sources by category, paths between them, averages and random mixtures
    previews      pictures that the studio shows first
    contact_sheet what sources, average and a child draw
    naming        sheets for somebody who does not know the captions
    licences      licence texts and notices
    cards         model cards and tables of the published family

Every training resumes from a checkpoint in the work folder (`M2N2_TRAINING`, or the user's cache folder). What one has
made is kept under `kept/` in half precision, and read from there where there is no checkpoint; `publish` then writes
the folders that the studio opens.
"""
