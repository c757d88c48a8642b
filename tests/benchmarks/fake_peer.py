"""A peer that needs no library: random levels. A method "broken" fails at the third ask, "wrong" leaves the space."""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "quality" / "peers"))
from protocol import serve


class Search:
    def __init__(self, *, space, seed, batch, evals, method):
        self.random = random.Random(seed)
        self.sizes = [each["size"] for each in space]
        self.method, self.batch, self.asks, self.last = method, batch, 0, []
        print("libraries talk")

    def ask(self, count):
        if count > self.batch:
            raise ValueError("more than a batch")
        self.asks += 1
        if self.method == "broken" and self.asks == 3:
            raise RuntimeError("it broke")
        past = 1 if self.method == "wrong" else 0
        self.last = [[self.random.randrange(size) + past * size for size in self.sizes] for _ in range(count)]
        return self.last

    def tell(self, levels, losses):
        if levels != self.last or len(losses) != len(levels):
            raise ValueError("not what was asked")


if __name__ == "__main__":
    serve(Search)
