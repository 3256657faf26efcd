"""What the tests of a Python node of KRT V1 (kn-krt) use: `krt.testing`.

A node's code needs nothing from here: it defines `handler(ctx, data)` and is
given its context. A node may have a package of this name itself.
"""
