"""What an individual is worth: woven, drawn, scored, reported.

Imports breeding, inference_search, judging, library and runs.

Read in this order:

    evaluator       weave, draw, score one individual
    open_scorer     scorers by name, on the device that pictures are drawn on
    worker          an evaluation as a request and its result, for this process or another
    run_worker      what draws and scores in a run, opened alike wherever it works
    fitness         the languages that compete, and what is only reported
    held_out        sources, average and best child on prompts that evolution never saw
    score_model     scores of one model outside a run
    picture_search  the best picture of a prompt among many, outside a run
    preview         pictures for a page, drawn one at a time
"""
