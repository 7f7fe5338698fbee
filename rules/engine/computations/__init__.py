"""The named computations that rules of kind `computed` (and `given`) may use, by name.

Every module of this package holds functions made computations by `registry.computation`; here they are gathered.
"""

from rules.engine.computations import billing, grid, money, supply
from rules.engine.computations.registry import Computation

COMPUTATIONS: dict[str, Computation] = {
    each.name: each
    for module in (billing, grid, money, supply)
    for each in vars(module).values()
    if isinstance(each, Computation)
}

__all__ = ["COMPUTATIONS"]
