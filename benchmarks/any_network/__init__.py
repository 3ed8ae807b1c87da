"""Two tiny language models, one that adds and one that spells, bred by `m2n2 evolve` with a scorer of one's own.

score    what a person writes: the problems, and a function from weights to a score per problem
family   trains the two from one base, in a few minutes
"""
