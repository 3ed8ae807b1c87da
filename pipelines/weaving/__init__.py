"""A recipe to weights: one plan is previewed, woven to memory and woven to disk.

Imports recipes and the rooms below.

Read in this order:

    plan              what a recipe asks of its sources, tensor by tensor, and how a block of it is built
    scratch_buffers   the memory that blocks are summed in
    device_sums       all tensors whose sources are kept on an NVIDIA GPU, in one launch
    sum_launch        that launch: tables of what is summed, and the kernel started on them
    sum_kernel        the kernel, in Triton
    weave             a plan run into a live model or to disk
    written_file      what a file is known by once it is written, and how it comes to the disk
    difference        how far a merge is from its host, on a sample of every tensor
"""
