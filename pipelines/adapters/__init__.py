"""Adapters: LoRA and its kin. What their keys mean, and what they make of a tensor of a base.

Imports architectures and storage. What an adapter changes is computed for the rows that are asked for, in float64 and
with the same bits on every machine; scale and rounding belong to whoever bakes it (`checkpoints.adapted`).

Read in this order:

    arithmetic       products, sums and inverses whose bits do not depend on the order of work
    module           the keys of one module of a file, and the tensors of the base that it changes
    change           how an adapter changes one tensor: what every kind has in common
    low_rank         LoRA, with and without a middle factor; LoHa, LoKr, GLoRA
    direct           differences, norms and biases as they are; IA3
    orthogonal       OFT and BOFT, of kohya and LyCORIS
    peft_orthogonal  OFT and BOFT, of peft
    decomposed       DoRA, over any of these
    roles            the module and the role that a key names, in any spelling
    targets          the tensor of the base that a module's name means
    peft_config      what peft's configuration says beside the weights
    foreign          files that are no adapters, or of a kind that is not baked, by their keys
    reading          a file to the changes that it makes
"""
