"""A process of many workers that all want a take at once: `python -m tests.contracts.spender URL NAME THREADS`.

It waits for a line on standard input, so that several of them begin together, and prints how many takes it got.
"""

import sys
import threading
from contextlib import closing
from dataclasses import replace

from callsheet.credits import Credits
from callsheet.errors import BudgetExceeded
from callsheet.ledger.book import Ledger

from .ledgers import BOOKING

PRICE = Credits.of(10)
#: Of the month, in which `hungry` and `modest` spend; `modest` has a budget of its own.
MONTHLY, MODEST = Credits.of(305), Credits.of(125)


def main(url: str, name: str, threads: int) -> None:
    """Half of the workers are of the campaign `modest`, half of one without a ceiling of its own."""
    got: list[int] = []
    with closing(Ledger(url)) as ledger:

        def want(number: int) -> None:
            campaign, budget = ("modest", MODEST) if number % 2 else ("hungry", None)
            booking = replace(BOOKING, campaign=campaign, budget=budget, monthly=MONTHLY, price=PRICE)
            try:
                got.append(ledger.reserve(replace(booking, key=f"{name}-{number}")).id)
            except BudgetExceeded:
                return

        workers = [threading.Thread(target=want, args=(number,)) for number in range(threads)]
        print("ready", flush=True)
        sys.stdin.readline()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    print(len(got), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
