"""mergekit's YAML in and out: what it says as a recipe where that is one, else as weights woven once by its rules.

Imports exporting and the rooms below.

Read in this order:

    documents         a YAML file to documents that are checked: methods, models, parameters
    methods           mergekit's methods as a table: what each takes, and what it becomes here
    tensor_names      the tensors of a checkpoint as mergekit sees them
    tensor_weights    methods that are weighted sums of their inputs: weights per tensor
    sparse_merging    methods that choose among elements: ties, dare, della, breadcrumbs, sce
    method_component  such a method as a component, computed a tensor at a time
    importing         documents to a recipe
    exporting         a recipe to mergekit's YAML
"""
