"""The studio in a browser: pages in English and Japanese.

Read in this order:

    app         the FastAPI application, its routes and the server
    shared      what pages have in common: runs by name, the frame of a page, errors as messages
    control     what a run will cost; begin, pause, go on, end; which one a page shows
    views       HTML fragments that no Gradio component draws: strips, tables of pictures
    maps        drawings of a run: niches, depth
    contenders  who is compared: individuals of any run, recipe files
    places      what is drawn where in a comparison, and what a picture is known by
    kept        pictures and scores that a run kept of it
    grid        a comparison: what there is of it, and drawing what it lacks; grid_view shows it
    downloads   contact sheets and reports as files
    offer       what the Export page plans, previews and sends
    drifts      what the Monitor page shows of exports and their measurements
    blind       a question to a judge: pictures under random addresses, answers, arrow keys
    verdict     what Judge tells after the votes
    long_work   work that takes long, with its cancel button
    evolve, sources, archive, compare, judge, weak, export, monitor, prompt_sets
                one page each: handlers are plain functions, then `page` wires them; some pages have theirs beside:
                form, fields, watch (evolve); ledger_cards, kinship (sources); browse, tiles, detail, finder (archive);
                prompt_desk (prompt_sets)
"""
