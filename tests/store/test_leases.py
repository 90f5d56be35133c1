"""Reservations by locks of files, across processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal

import pytest
from lease_holder import hold

from xaiexp.store.leases import leased_among


@pytest.fixture
def workers(tmp_path):
    context = multiprocessing.get_context("spawn")
    taken, release = context.Queue(), context.Event()
    started = []

    def start():
        started.append(context.Process(target=hold, args=(tmp_path, taken, release)))
        started[-1].start()
        return started[-1]

    yield start, taken, release
    for worker in started:  # not by the event: it waits for a killed process for ever
        worker.kill()
        worker.join(30)


def test_processes_take_different_devices_and_a_third_waits_until_one_is_free(tmp_path, workers, caplog):
    start, taken, release = workers
    start(), start()
    assert {taken.get(timeout=60), taken.get(timeout=60)} == {0, 1}

    def sleep(_seconds):
        release.set()

    with (
        caplog.at_level(logging.WARNING, logger="xaiexp"),
        leased_among(["a", "b"], tmp_path, waiting="both are in use", sleep=sleep) as index,
    ):
        assert index in (0, 1)
    assert [record.getMessage() for record in caplog.records] == ["both are in use"]


def test_the_device_of_a_killed_process_is_free(tmp_path, workers):
    start, taken, _ = workers
    first, _ = start(), start()
    both = [taken.get(timeout=60), taken.get(timeout=60)]
    os.kill(first.pid, signal.SIGKILL)
    first.join(30)
    with leased_among(["a", "b"], tmp_path) as index:
        assert index in both


def test_a_device_is_free_again_after_an_error(tmp_path):
    with pytest.raises(KeyError), leased_among(["a"], tmp_path):
        raise KeyError
    with leased_among(["a"], tmp_path) as index:
        assert index == 0
