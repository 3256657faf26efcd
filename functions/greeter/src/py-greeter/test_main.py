import unittest

from krt.testing import call

import main
from public_input_pb2 import Request


class GreeterTest(unittest.TestCase):
    def test_greets_by_name(self):
        response = call(main.handler, Request(name="Ada"), init=main.init)
        self.assertEqual(response.greeting, "Hello, Ada!")
        self.assertEqual(response.greeted_by, "py-greeter")

    def test_wants_a_name(self):
        with self.assertRaisesRegex(ValueError, "no name to greet"):
            call(main.handler, Request(), init=main.init)


if __name__ == "__main__":
    unittest.main()
