"""What was chosen, the address that says so, and which seeds stand beside each other."""

from urllib.parse import parse_qsl

import pytest

from studio.ui.compare.cells import MOST_PROMPTS
from studio.ui.compare.choice import Choice, Window, asked_choice, query_of


@pytest.mark.parametrize(
    ("start", "beside", "noises", "shown"),
    [(0, 2, 2, [0, 1]), (0, 2, 5, [0, 1]), (3, 2, 5, [2, 3]), (4, 2, 5, [4]), (7, 4, 5, [4]), (0, 4, 1, [0])],
)
def test_seeds_are_shown_in_whole_windows(start, beside, noises, shown):
    assert list(Window(start, beside).shown(noises)) == shown


def test_stepping_goes_round_and_round():
    window, starts = Window(0, 2), []
    for _ in range(4):
        window = window.stepped(1, 5)
        starts.append(window.start)
    assert starts == [2, 4, 0, 2]
    assert Window(0, 2).stepped(-1, 5) == Window(4, 2)
    assert Window(0, 4).stepped(1, 3) == Window(0, 4)


def test_an_address_holds_what_differs_from_how_the_page_opens():
    choice = Choice(models=("0001", "spring/0002"), known=("dog", "cat"), ja="猫, 犬")
    query = query_of("first", choice, Window())
    assert query.startswith("run=first&id=0001,spring%2F0002&prompt=dog,cat&ja=")
    assert dict(parse_qsl(query)) == {"run": "first", "id": "0001,spring/0002", "prompt": "dog,cat", "ja": "猫, 犬"}


@pytest.mark.parametrize(
    ("choice", "window"),
    [
        (Choice(ja="猫", en="cat", noises=5), Window(2, 2)),
        (Choice(view="playground", tried=("a cat, red", "猫"), noises=1), Window(0, 1)),
        (Choice(view="blend", first="0001", second="ja", moved="rest", attention=0, rest=100), Window(0, 4)),
    ],
)
def test_an_address_reads_back_to_what_was_chosen(choice, window):
    assert asked_choice(dict(parse_qsl(query_of("first", choice, window)))) == (choice, window)


def test_what_makes_no_sense_in_an_address_is_left_out():
    query = {"view": "else", "noises": "99", "beside": "-1", "noise": "x", "attention": "101", "moved": "", "rest": "٣"}
    assert asked_choice(query) == (Choice(), Window())


def test_a_caption_that_is_tried_again_comes_first_and_the_oldest_leave():
    choice = Choice(tried=tuple("abcdef"))
    assert len(choice.tried) == MOST_PROMPTS
    assert choice.with_tried(" c ") == tuple("cabdef")
    assert choice.with_tried("new\nline")[:2] == ("new line", "a")
    assert len(choice.with_tried("new")) == MOST_PROMPTS
    assert choice.with_tried("  ") == choice.tried
