"""The program that the runner's front starts: `krt_main.py zygote|worker SETTINGS`."""

import os
import sys

if sys.version_info < (3, 9):
    sys.exit("python %d.%d is too old for a node: 3.9 or later is needed" % sys.version_info[:2])

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [_HERE] + [folder for folder in sys.path if folder != _HERE]

from _krt_runner import process

# A node may have its own package krt or module krt_main: that is found first.
sys.path.append(sys.path.pop(0))

if __name__ == "__main__":
    process.main(sys.argv[1], sys.argv[2])
