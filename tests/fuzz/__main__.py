"""Draw many inputs, and report."""

import argparse
import sys
import time

from hypothesis import HealthCheck, Phase, given, seed, settings

import tests.fuzz
from tests.fuzz.cases import DRAW, QUICK, Findings, cases, warm_up

SECONDS, BYTES = 5.0, 2**30


def main() -> int:
    parser = argparse.ArgumentParser(description=tests.fuzz.__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=[*DRAW], help="inputs of one kind alone")
    given_ = parser.parse_args()
    kinds = [given_.kind] if given_.kind else QUICK
    warm_up()
    found = Findings()
    everything = settings(
        max_examples=given_.examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    begun = time.perf_counter()
    everything(seed(given_.seed)(given(cases(*kinds))(found.look)))()
    tried = ", ".join(f"{count} {kind} ({found.refused[kind]} refused)" for kind, count in found.count.items())
    print(f"{found.count.total()} inputs in {time.perf_counter() - begun:.0f} s: {tried}")
    for key, (times, case, said) in found.failures.items():
        print(f"\n{times} x {key}\n  {said}\n  {case.payload!r}"[:1500])
    (seconds, slow), (size, large) = found.slowest, found.largest
    print(f"\nslowest: {seconds:.2f} s of a processor, {slow}\nlargest: {size / 2**20:.0f} MiB, {large}")
    return int(bool(found.failures) or seconds > SECONDS or size > BYTES)


if __name__ == "__main__":
    sys.exit(main())
