"""What runs a Python node of KRT V1 (kn-krt).

A node's code needs nothing from here: it defines `handler(ctx, data)` and is
given its context. `krt.testing` tests a handler without a runner.
"""
