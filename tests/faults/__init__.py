"""The simulator of faults: the real steps, client, ledger and archive in virtual time, against a scripted provider.

`python -m tests.faults --seeds 10000`. One seed is one world: its weather, its crashes, its provider. What is ours is all
real; the seams are HTTP (an httpx transport), the time (an event loop and a clock) and the database (events of SQLAlchemy).
"""
