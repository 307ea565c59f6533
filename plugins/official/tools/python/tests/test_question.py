"""A question has one limit for all of it, whatever it waits for."""

from __future__ import annotations

import threading

import pytest

from snooze_monitor import Question


def test_an_answer_and_a_failure_come_back_as_they_are() -> None:
    question = Question[int](lambda: None)
    assert question.ask(lambda: 5) == 5
    with pytest.raises(ValueError, match="no number"):
        question.ask(lambda: int("no number"))


def test_a_question_that_is_late_is_interrupted_and_the_next_one_is_asked() -> None:
    ended = threading.Event()
    question = Question[object](ended.set, limit_seconds=0.05)
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        question.ask(ended.wait)
    assert question.ask(lambda: 5) == 5


def test_there_are_never_two_questions_under_way() -> None:
    ended = threading.Event()
    question = Question[object](lambda: None, limit_seconds=0.05)
    with pytest.raises(TimeoutError, match="no answer"):
        question.ask(ended.wait)
    with pytest.raises(TimeoutError, match="the question before"):
        question.ask(lambda: 5)
    ended.set()


def test_several_are_asked_at_once_within_one_limit() -> None:
    both = threading.Barrier(2)
    questions = [Question[int](lambda: None, limit_seconds=20) for _ in range(2)]
    for question in questions:
        question.begin(both.wait)
    assert sorted(question.end() for question in questions) == [0, 1]
