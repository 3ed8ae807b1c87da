"""Run every benchmark in turn; runs of `digits` and `search` whose results are there are not repeated."""

from benchmarks.any_network import __main__ as any_network

from . import digits, evaluation, live, pages, search, weave

if __name__ == "__main__":
    evaluation.main()
    pages.main()
    any_network.main()
    weave.main()
    live.main()
    digits.main()
    search.main()
