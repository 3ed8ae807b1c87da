"""The person's functions of a run over any network: how near its numbers are to 1."""


def score(weights):
    return [_near(value) for name in ("first", "second") for value in weights[name].tolist()]


def unseen(weights):
    return [_near(weights[name].mean().item()) for name in ("first", "second")]


def _near(value):
    return 1 - min(1, abs(value - 1))
