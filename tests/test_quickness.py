"""Whose turn a transaction is: the loop's on a quick disk, the thread's on a slow one."""

from __future__ import annotations

from reelflow.quickness import Quickness


def turns_of_the_thread(quickness: Quickness) -> int:
    """How many transactions are the thread's until the next one of the loop."""
    turns = 0
    while not quickness.is_the_loops:
        quickness.was_the_threads()
        turns += 1
    return turns


def test_the_first_two_are_the_thread_s_and_the_next_are_the_loop_s_while_they_are_quick() -> None:
    quickness = Quickness(0.002)
    assert turns_of_the_thread(quickness) == 2
    for _ in range(10):
        quickness.learn(0.0002, has_written=True)
        assert quickness.is_the_loops
    quickness.learn(0.009, has_written=True)
    assert quickness.is_the_loops, "one that is late among many that are quick changes nothing"


def test_on_a_slow_disk_the_loop_tries_ever_more_seldom_until_one_is_quick() -> None:
    quickness = Quickness(0.002)
    turns = []
    for _ in range(8):
        turns.append(turns_of_the_thread(quickness))
        quickness.learn(0.02, has_written=True)
    assert turns == [2, 8, 16, 32, 64, 128, 256, 256]
    turns_of_the_thread(quickness)
    quickness.learn(0.0002, has_written=True)
    assert quickness.is_the_loops
    quickness.learn(0.02, has_written=True)
    assert turns_of_the_thread(quickness) == 8


def test_what_only_reads_says_nothing_of_the_disk_unless_it_is_slow() -> None:
    quickness = Quickness(0.002)
    turns_of_the_thread(quickness)
    quickness.learn(0.0001, has_written=False)
    quickness.learn(0.003, has_written=True)
    assert not quickness.is_the_loops
    turns_of_the_thread(quickness)
    quickness.learn(0.0001, has_written=True)
    quickness.learn(0.05, has_written=False)
    assert not quickness.is_the_loops


def test_without_a_time_that_the_loop_may_take_all_are_the_thread_s() -> None:
    quickness = Quickness(0.0)
    for _ in range(600):
        assert not quickness.is_the_loops
        quickness.was_the_threads()
