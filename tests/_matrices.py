"""Choice of few combinations of parameters, for tests marked ``matrix``."""

import itertools


def further(items, names):
    """All but a few combinations of parameters, in which each value occurs about equally often."""
    values = {
        item: {
            (name, id(one))
            for name, one in item.callspec.params.items()
            if not names or name in names
        }
        for item in items
    }
    n_uses = dict.fromkeys(itertools.chain(*values.values()), 0)
    further = list(items)
    while not all(n_uses.values()):
        few = min(further, key=lambda item: sorted(n_uses[one] for one in values[item]))
        further.remove(few)
        for one in values[few]:
            n_uses[one] += 1
    return further
