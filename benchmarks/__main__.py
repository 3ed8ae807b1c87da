"""Run every benchmark in turn."""

from . import evaluation, live, weave

if __name__ == "__main__":
    evaluation.main()
    weave.main()
    live.main()
