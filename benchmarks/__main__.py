"""Run every benchmark in turn; runs of `digits` and `search` whose results are there are not repeated."""

from benchmarks.any_network import __main__ as any_network
from benchmarks.app import evaluation, load, pages
from benchmarks.digits import run as digits
from benchmarks.full_size import live, merge, opening, weave
from benchmarks.search import run as search

if __name__ == "__main__":
    evaluation.main()
    pages.main()
    load.measure(clients=50, minutes=2)
    any_network.main()
    opening.main()
    weave.main()
    merge.main()
    live.main()
    digits.main()
    search.main()
