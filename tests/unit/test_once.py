"""That what is made once is made once, however many ask at the same moment."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from callsheet.once import once


class Maker:
    def __init__(self) -> None:
        self.made = 0

    @once
    def tool(self) -> int:
        """A number."""
        time.sleep(0.02)
        self.made += 1
        return self.made


def test_threads_that_ask_at_the_same_moment_get_the_one_that_the_first_makes() -> None:
    maker, together = Maker(), threading.Barrier(8)

    def ask(_number: int) -> int:
        together.wait()
        return maker.tool

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {1}
    assert maker.made == 1


def test_each_object_has_its_own_and_the_class_has_its_words() -> None:
    one, other = Maker(), Maker()
    one.made = 5
    assert (one.tool, other.tool) == (6, 1)
    assert Maker.tool.__doc__ == "A number."
