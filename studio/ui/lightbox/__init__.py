"""A picture of a run as large as the window, wherever a page shows it: both languages beside each other, keys, marks.

It may import what the pages share, and nothing of a page.

content    what it tells of a run, and of one model's pictures of one caption
routes     where the browser asks for that, and says what somebody thinks of a model
lightbox   the script in the browser, and how it looks
"""
