"""What an individual is worth: woven, drawn, scored, reported.

Imports breeding, judging, library and runs.

Read in this order:

    evaluator       weave, draw, score one individual
    open_scorer     scorers by name, on the device that pictures are drawn on
    worker          an evaluation as a request and its result, for this process or another
    run_worker      what draws and scores in a run, opened alike wherever it works
    worker_process  what runs where a worker is: requests in, results out
    worker_slot     the place of a worker that works elsewhere, however it is reached
    worker_pool     several such places; what a worker loses runs again elsewhere
    process_slot    workers in processes of their own on this machine
    fitness         the languages that compete, and what is only reported
    held_out        sources, average and best child on prompts that evolution never saw
    picture_task    the task of a run that draws pictures, made of all these
    score_model     scores of one model outside a run
    preview         pictures for a page, drawn one at a time
"""
