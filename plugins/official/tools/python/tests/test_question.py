"""A question has one limit for all of it, whatever it waits for."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest

from snooze_monitor import Question, is_fenced, is_unresolved


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


def test_what_the_fence_refuses_is_seen_through_what_it_is_wrapped_in() -> None:
    outer = RuntimeError("cannot connect")
    outer.__context__ = PermissionError(13, "Permission denied")
    assert is_fenced(outer)
    assert not is_fenced(ConnectionRefusedError(111, "Connection refused"))
    assert not is_fenced(ssl.SSLError(1, "certificate verify failed"))


def test_several_are_asked_at_once_within_one_limit() -> None:
    both = threading.Barrier(2)
    questions = [Question[int](lambda: None, limit_seconds=20) for _ in range(2)]
    for question in questions:
        question.begin(both.wait)
    assert sorted(question.end() for question in questions) == [0, 1]


def test_a_name_that_was_not_found_is_seen_through_what_it_is_wrapped_in() -> None:
    outer = RuntimeError("cannot connect")
    outer.__context__ = socket.gaierror(-3, "Temporary failure in name resolution")
    assert is_unresolved(outer)
    assert not is_unresolved(ConnectionRefusedError(111, "Connection refused"))
