"""How the embedded family was made. Run by hand, in this order; never by users or tests.

Read the modules in the order in which the data flows:

    settings      folders, sizes, categories and styles
    data          names and pictures of emoji, fetched by npm
    tokenizer     the byte-level BPE of both languages
    loop          the training loop: schedule, moving average, checkpoints, resuming
    vae           64x64 pictures to 8x8x8 latents and back
    unet          the denoising model and its loss
    base          the first source, and the text encoders of `ja`
    phrases       what a picture may be called: names, keywords, colours, two things
    lessons       pictures with those phrases, as latents and token numbers
    longer_base   a base trained longer on them: the first source of the next family
    specialist    the UNets of `ja`, `flat` and `real`
    augment       pictures moved, recoloured and spoilt
    clip          the scorers: judge and jury
    prompts       the two prompt sets
    family        what the published sources are made of
    publish       diffusers and open_clip folders in half precision
    sample        pictures and mixtures of weights with plain torch
    previews      pictures that the studio shows first
    check_family  is the family complementary and mergeable? writes assets/family.json
    licences      licence texts and notices
    cards         model cards and tables from assets/family.json

Every training resumes from a checkpoint in the work folder (`M2N2_TRAINING`, or the user's cache folder), and is
only read once it has ended.
"""
