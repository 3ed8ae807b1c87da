"""How long what is left takes."""

from studio.ui.common.pace import Pace


def test_the_first_picture_says_nothing_of_the_pace():
    pace = Pace()
    assert pace.seconds_left(3) is None
    for now in (100.0, 102.0, 106.0):  # whatever came before 100 loaded models
        pace.arrive(now)
    assert (pace.count, pace.seconds_left(4)) == (3, 12.0)
