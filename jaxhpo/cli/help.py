"""What `--help` shows: options in groups, and examples, in plain text that fits 80 columns."""

from typing import Any

from typer.core import TyperCommand

DATA, TEXTS, MODEL = "Data", "Texts", "Model and training"
SEARCH, MACHINE, OUTPUT = "Search", "Machine", "Output"

_GROUPS = (DATA, TEXTS, MODEL, SEARCH, MACHINE, OUTPUT)


class GroupedCommand(TyperCommand):
    """A command whose options stand in groups, by their `rich_help_panel`; its `epilog` has an example a line."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, options group by group, and at last those of no group."""
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in ("Arguments", *_GROUPS, "Other")}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            if row is not None:
                argument = parameter.param_type_name == "argument"
                panel = "Arguments" if argument else getattr(parameter, "rich_help_panel", None)
                groups[panel if panel in groups else "Other"].append(row)
        for name, rows in groups.items():
            if rows:
                with formatter.section(name):
                    formatter.write_dl(rows, col_max=26)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples."""
        del ctx
        with formatter.section("Examples"):
            for line in (self.epilog or "").splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
