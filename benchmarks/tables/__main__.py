"""The tables of the READMEs, made from the committed JSON, the registry of algorithms and the names a prior knows.

    python -m benchmarks.tables

Pictures are drawn by the commands whose results they show.
"""

from benchmarks.tables.committed import load
from benchmarks.tables.quality import ablation, comparison
from benchmarks.tables.readme import accuracy, algorithms_table, meanings_table, status_table
from benchmarks.tables.speed import accelerator_table, speed_table, ways_table
from benchmarks.tables.testing import tables_of_releases, tables_of_tests


def main() -> None:
    """Print the tables."""
    print(algorithms_table())
    print()
    print(meanings_table())
    print()
    print(status_table(**load("status", "algorithms")))
    print()
    print(accuracy())
    print()
    speed = load("speed_mlp", "speed_cnn", "speed_gru")
    print(speed_table(speed))
    print()
    print(accelerator_table(load("gpu/accelerator")["gpu/accelerator"], speed))
    print()
    print(ways_table(**load("ways")))
    for table in (comparison() | ablation() | tables_of_releases() | tables_of_tests()).values():
        print("", table, sep="\n")


if __name__ == "__main__":
    main()
