"""Run every benchmark in turn."""

from . import evaluation

if __name__ == "__main__":
    evaluation.main()
