"""Exports measured again, on a schedule.

measurements  what the page shows of exports and their measurements
page          the layout and its handlers
"""
