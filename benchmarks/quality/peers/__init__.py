"""Other libraries on the same tasks, each in an environment of its own: their pins exclude one another.

`protocol.py` and the `worker_*.py` run there, without jaxhpo; `environments.py` makes them, `driver.py` asks and tells.
"""

from benchmarks.quality.peers.driver import PEERS, run

__all__ = ["PEERS", "run"]
