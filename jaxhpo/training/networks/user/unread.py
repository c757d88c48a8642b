"""Which hyperparameters of a user's model have no effect: seen in the traced programs of its forms."""

import hashlib
import re
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import Tracer
from jax.extend import core

from jaxhpo.models import Variant
from jaxhpo.space import Float, Space
from jaxhpo.training.networks.user.cost import inner_programs
from jaxhpo.training.networks.user.dependence import Dependence


class Form(NamedTuple):
    """What the programs of one of a model's forms are.

    Attributes:
        reads: Names of the traced hyperparameters that have an influence on anything.
        kernels: Whether it has parameters that L1 and L2 penalties are of.
        programs: Digest of all operations.
    """

    reads: frozenset[str]
    kernels: bool
    programs: str


def form_of(params: Any, traces: Sequence[Dependence]) -> Form:
    """Return what a form's programs are.

    Args:
        params: Parameters or their shapes.
        traces: Its programs; the third of the arguments of each is the lane's hyperparameters.
    """
    reads: set[str] = set()
    for trace in traces:
        hyper = trace.of(jax.tree.map(lambda _: True, trace.outputs))[2]
        reads |= {name for name, is_read in (hyper.own or {}).items() if is_read}
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    digest = hashlib.sha256()
    for trace in traces:
        _describe(trace.program, digest)
        for constant in trace.constants:
            _add_array(constant, digest)
    return Form(frozenset(reads), any(str(path[-1].key).endswith("kernel") for path in paths), digest.hexdigest())


def unread(space: Space, takes: Sequence[str], forms: dict[Variant, Form]) -> list[str]:
    """Return the hyperparameters of `takes` that no form's computation reads.

    An Int or Choice is one if all pairs of forms that differ in it alone are the same program; of one without such a
    pair nothing is known.
    """
    found = []
    for name in (name for name in space if name in takes):
        if isinstance(space[name], Float):
            is_read = any(name in form.reads for form in forms.values())
        else:
            pairs = [(a, b) for a, b in combinations(forms, 2) if _differing(a, b) == {name}]
            is_read = not pairs or any(forms[a].programs != forms[b].programs for a, b in pairs)
        if not is_read:
            found.append(name)
    return found


def _differing(a: Variant, b: Variant) -> set[str]:
    """Return the names in which two forms differ."""
    options = set(a.built_with) ^ set(b.built_with)
    return {name for name, _ in options} | ({"batch_size"} if a.batch_size != b.batch_size else set())


def _describe(program: core.Jaxpr, digest: Any) -> None:
    """Add a program's operations to a digest, whatever its variables and functions are called."""
    numbers: dict[Any, int] = {}

    def add(variable: Any) -> None:
        if isinstance(variable, core.Literal):
            _add_array(variable.val, digest)
        else:
            digest.update(f"{numbers.setdefault(variable, len(numbers))}:{variable.aval}".encode())

    for variable in (*program.constvars, *program.invars):
        add(variable)
    for equation in program.eqns:
        digest.update(equation.primitive.name.encode())
        for name, value in sorted(equation.params.items()):
            digest.update(name.encode())
            for part in value if isinstance(value, list | tuple) else [value]:
                _add_parameter(part, digest)
        for variable in (*equation.invars, *equation.outvars):
            add(variable)
    for variable in program.outvars:
        add(variable)


def _add_parameter(value: Any, digest: Any) -> None:
    if isinstance(value, core.ClosedJaxpr):
        for constant in value.consts:
            _add_array(constant, digest)
    inner = inner_programs({"": value})
    if inner:
        _describe(inner[0], digest)
    elif isinstance(value, np.ndarray | jax.Array):
        _add_array(value, digest)
    elif not callable(value):  # what a function computes stands in the programs too
        digest.update(re.sub(r" at 0x[0-9a-f]+", "", repr(value)).encode())


def _add_array(value: Any, digest: Any) -> None:
    """Add an array, of which `repr` would show a part; one that is traced equals no other."""
    whole = f"traced {id(value)}".encode() if isinstance(value, Tracer) else np.asarray(value).tobytes()
    digest.update(f"{np.shape(value)}".encode() + whole)
