"""Which examples, maps and features are at work at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

__all__ = ["AT_WORK", "IN_STEP", "in_blocks", "numbers", "turns"]

# Numbers of all maps of an example that are at work at once: on a CPU, they stay in its cache.
AT_WORK = {"cpu": 1 << 19, "cuda": 1 << 24}
# Numbers that one step of several in a row is for.
IN_STEP = {"cpu": 1 << 17, "cuda": 1 << 24}
# Fewer than these are not worth a second thread.
_ALONE = 1 << 16
# Seconds that a thread waits for another one's Python, at most: steps take some ten microseconds, not milliseconds.
_PATIENCE = 1e-4


def numbers(at_once: Mapping[str, int], device: torch.device) -> int:
    """How many numbers are done at once on a device."""
    return at_once.get(device.type, at_once["cpu"])


def in_blocks(run: Callable[[slice], None], maps: Tensor, at_work: int | None = None) -> None:
    """``run`` for one stretch of the examples of ``maps [M, N, d]`` after the other, until all had their turn.

    On a CPU as many stretches at once as torch has threads, each with one of them: the steps of a measure are too
    short to be shared out, and threads would wait for each other for longer than they work.

    Args:
        at_work: how many numbers of all maps a stretch has about.
    """
    m, n, d = maps.shape
    if not maps.numel():
        return
    if at_work is None:
        at_work = numbers(AT_WORK, maps.device)
    threads = torch.get_num_threads() if maps.device.type == "cpu" and maps.numel() > _ALONE else 1
    step = max(1, min(at_work // (m * d), -(-n // threads)))
    stretches = [slice(start, min(n, start + step)) for start in range(0, n, step)]
    if threads == 1 or len(stretches) == 1:
        for rows in stretches:
            run(rows)
        return
    inference = torch.is_inference_mode_enabled()  # which each thread has to be told

    def work(rows: slice) -> None:
        with torch.inference_mode(inference):
            run(rows)

    patience = sys.getswitchinterval()
    torch.set_num_threads(1)  # also of threads that are made from here on
    sys.setswitchinterval(_PATIENCE)
    try:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, stretches))
    finally:
        sys.setswitchinterval(patience)
        torch.set_num_threads(threads)


def turns(count: int, each: int, at_once: Mapping[str, int], device: torch.device) -> Iterator[slice]:
    """Stretches of so many rows of ``each`` numbers, for as many numbers as are done at once on the device."""
    step = max(1, numbers(at_once, device) // max(1, each))
    for start in range(0, count, step):
        yield slice(start, start + step)
