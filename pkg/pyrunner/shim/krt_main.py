"""Started by the runner's front: `krt_main.py zygote|worker SETTINGS`."""

import sys

if sys.version_info < (3, 9):
    sys.exit("python %d.%d is too old for a node: 3.9 or later is needed" % sys.version_info[:2])

from krt import process

if __name__ == "__main__":
    process.main(sys.argv[1], sys.argv[2])
