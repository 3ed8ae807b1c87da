"""M2N2 itself (arXiv 2508.16204): what competes, who survives, who mates. Numpy in, numpy out; no files, no torch.

Read in this order:

    errors            what can go wrong here
    niches            competition for prompts: capacity, fitness, attraction, roulette; functions of a score matrix
    competition       the same for one archive, worked out once: exact, and many times faster
    distances         how far individuals are apart by their scores
    archive           the P individuals alive and who leaves when one more is born
    early_rejection   early rejection: who cannot enter the archive any more, told from some of its scores
    racing            who will hardly enter it, told from some of its scores and what was expected
    foresight         what individuals that nobody has scored are expected to score, and who of them to try
    calibration       how what was expected compares with what was found
    generators        random generators out of the state that a search keeps
    offspring         a child just made, and the functions that a search makes one with
    mating            who mates: by the search's choice, by name, by what people favour
    search            the loop, one offspring at a time: choose parents, cross, tell; resumable bit for bit

Score matrices are raw: float64 [individuals, niches], each score in 0..1. Rows are individuals, oldest first.
"""
