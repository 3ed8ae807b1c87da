"""`m2n2 studio`: open it, and say who may come in.

commands   the command and those under it
"""
