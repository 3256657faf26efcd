"""What Python nodes of KRT V1 (kn-krt) may import: errors of the store, and `krt.testing`.

A node's code needs nothing from here: it defines `handler(ctx, data)` and is
given its context. A node may have a package of this name itself.
"""

from _krt_runner.store import StoreError, StoreRefused

__all__ = ["StoreError", "StoreRefused"]
