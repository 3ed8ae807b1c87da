"""Prompt sets.

editor       a set in the making: rows, checks, files
page         the layout and its handlers
"""
