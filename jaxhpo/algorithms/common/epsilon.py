"""Epsilon that decays by the variance of Q.

    eps_t = eps_min + (eps_max - eps_min) exp(-sum_{i < t} k_i)

For a constant k this is eps_min + (eps_max - eps_min) exp(-k t), and epsilon never increases when k changes. The rate k
of a decision in state s is k_0 + lambda Var(Q(s, .)) or k_0 / (1 + lambda Var(Q(s, .))).
"""

from typing import Literal, NamedTuple, get_args

import jax.numpy as jnp

from jaxhpo.algorithms.common.checks import check_number
from jaxhpo.types import Array

VarianceRule = Literal["high_var_faster", "high_var_slower"]


class EpsilonSchedule(NamedTuple):
    """The constants of the decay.

    Attributes:
        eps_min: Limit of epsilon.
        eps_max: Initial epsilon.
        k_0: Decay rate per trial if Q has no variance.
        lam: Weight of the variance (lambda).
        variance_rule: "high_var_faster" or "high_var_slower".
    """

    eps_min: float
    eps_max: float
    k_0: float
    lam: float
    variance_rule: VarianceRule

    def check(self) -> None:
        """Raise ValueError if a constant is invalid; the message names it."""
        check_number("eps_min", self.eps_min, 0.0, 1.0)
        check_number("eps_max", self.eps_max, 0.0, 1.0)
        if self.eps_min > self.eps_max:
            raise ValueError(f"eps_min={self.eps_min!r} must not exceed eps_max={self.eps_max!r}")
        check_number("k_0", self.k_0, 0.0, 1e6)
        check_number("lam", self.lam, 0.0, 1e6)
        if self.variance_rule not in get_args(VarianceRule):
            rules = ", ".join(get_args(VarianceRule))
            raise ValueError(f"variance_rule={self.variance_rule!r} is unknown; use one of {rules}")

    def rate(self, variance: Array) -> Array:
        """Return the decay rates k for variances of Q, of any shape."""
        if self.variance_rule == "high_var_faster":
            return self.k_0 + self.lam * variance
        return self.k_0 / (1 + self.lam * variance)

    def epsilon(self, total: Array) -> Array:
        """Return epsilon after decays that sum to `total`."""
        return self.eps_min + (self.eps_max - self.eps_min) * jnp.exp(-total)
