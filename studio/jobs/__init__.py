"""Processes that outlive a page, and who may use a device now. Knows no run.

Imports no other room.

Read in this order:

    process         commands started in a process of their own, and locks that tell whether they live
    device_queue    one run at a time on every accelerator of this machine
    worker_count    how many workers a run has, and where they are, as a run file says it
    worker_account  what they are about, for those who watch
"""
