"""Workers that work elsewhere: what travels to them and back, and what becomes of what they lose.

Imports jobs; of evaluation the protocol of a worker alone.

Read in this order:

    worker_process      what runs where a worker is: requests in, results out
    worker_slot         the place of one worker, however it is reached
    roster              which places there are, and which come and go while a run goes on
    worker_calibration  whether workers on devices of several kinds may draw for one run
    worker_pool         several such places; what a worker loses runs again elsewhere
    split_evaluation    one child's prompts over several workers
    process_slot        workers in processes of their own on this machine
"""
