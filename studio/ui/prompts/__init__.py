"""Prompt sets.

editor       a set in the making: rows, checks, files
rows_table   the rows as fields; its script
page         the layout and its handlers
"""
