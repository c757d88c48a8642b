"""Execute the steps of a page, as `pages.execute` wrote them to a file, and write what each printed beside it."""

import contextlib
import io
import json
import linecache
import subprocess
import sys
from pathlib import Path


def main(job: Path) -> None:
    """Execute the steps in order."""
    task = json.loads(job.read_text(encoding="utf-8"))
    printed = {}
    for step in task["steps"]:
        if step["about"] == "file":
            Path(step["value"]).write_text(step["code"], encoding="utf-8")
        elif step["kind"] == "sh":
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", step["code"]], capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"line {step['line']}: {done.stdout}{done.stderr}")
            printed[step["line"]] = done.stdout
        else:
            name = f"{task['page']}:{step['line']}"
            linecache.cache[name] = (len(step["code"]), None, step["code"].splitlines(keepends=True), name)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(step["code"], name, "exec"), vars(sys.modules["__main__"]))
            printed[step["line"]] = out.getvalue()
    job.with_suffix(".out").write_text(json.dumps(printed), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
