"""Write the tables of the documentation, made from the committed JSON, the registry of algorithms and a prior's names.

    python -m benchmarks.tables [--check]

Each stands on a page between `<!-- table: NAME -->` and `<!-- end -->`. `--check` writes nothing: it lists the pages
that differ from what would be written, and ends with exit code 1 where there are any. Pictures are drawn by the
commands whose results they show.
"""

import argparse
import sys

from benchmarks.tables import pages
from benchmarks.tables.accuracy import tables_of_accuracy
from benchmarks.tables.lengths import tables_of_lengths
from benchmarks.tables.machines import machines_table
from benchmarks.tables.names import algorithms_table, meanings_table
from benchmarks.tables.quality import ablation, comparison
from benchmarks.tables.spaces import tables_of_spaces
from benchmarks.tables.speed import tables_of_speed
from benchmarks.tables.testing import tables_of_releases, tables_of_tests


def tables() -> dict[str, str]:
    """Return every table as Markdown, by the name that a page asks for it with."""
    return {
        "algorithms": algorithms_table(),
        "meanings": meanings_table(),
        "machines": machines_table(),
        **comparison(),
        **{f"agent, {part}": table for part, table in ablation().items()},
        **tables_of_speed(),
        **tables_of_accuracy(),
        **tables_of_lengths(),
        **tables_of_spaces(),
        **{f"releases, {part}": table for part, table in tables_of_releases().items()},
        **{f"tests, {part}": table for part, table in tables_of_tests().items()},
    }


def main() -> None:
    """Write the tables, or list the pages that differ."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--check", action="store_true", help="write nothing, list the pages that differ")
    check = arguments.parse_args().check
    try:
        found = pages.outdated(tables(), pages.ROOT)
    except ValueError as error:
        sys.exit(str(error))
    for path, text in found.items():
        print(path.relative_to(pages.ROOT))
        if not check:
            path.write_text(text, encoding="utf-8")
    if check and found:
        sys.exit(1)


if __name__ == "__main__":
    main()
