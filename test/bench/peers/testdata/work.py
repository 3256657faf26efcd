"""What the handlers of the case work compute: products of matrices, about 14 µs each."""

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

_matrix = None


def work(rounds):
    global _matrix
    if not rounds:
        return
    import numpy

    if _matrix is None:
        _matrix = numpy.random.default_rng(1).random((64, 64))
    product = _matrix
    for _ in range(rounds):
        product = product @ _matrix
        product /= product.max()
