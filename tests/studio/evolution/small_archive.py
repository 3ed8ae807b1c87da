"""Three individuals whose competition a reader can work out by hand."""

from studio.evolution.archive import Archive

ROWS = {
    "a": [0.50, 0.25, 0.75, 0.25],
    "b": [0.25, 0.75, 0.75, 0.25],
    "c": [0.25, 0.50, 0.25, 0.50],
}


def filled(*, alpha=1.0, capacity=3):
    archive = Archive(capacity, alpha=alpha)
    for id, scores in ROWS.items():
        archive.insert(id, scores)
    return archive
