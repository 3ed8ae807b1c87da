"""Workers on the machines of a Ray cluster: recipes travel to them, scores and pictures come back.

Imports evaluation (what draws, and the pool of places for workers). Ray itself is an extra: it is imported where a
cluster is asked for, and nowhere else.

Read in this order:

    connection    a run's process joins a cluster; how many workers it has room for
    actor         what runs in the process of a worker on the cluster
    ray_slot      the place of a worker on the cluster: it is opened, asked, and opened again elsewhere where it is lost
    offer         the files of the run's sources, handed out in pieces to machines that have not got them
    node_source   a source on another machine: found by its hashes, or copied there once
    node_worker   a worker of a run, opened on another machine
    workers       all of it together: the workers of a run
"""
