import pathlib
import unittest

from krt.testing import Context, call

import main
from public_input_pb2 import Prompt

BUNDLE = pathlib.Path(__file__).resolve().parents[2]


class EtlTest(unittest.TestCase):
    def setUp(self):
        self.ctx = Context(BUNDLE)

    def find(self, about, **fields):
        return call(main.handler, Prompt(about=about, **fields), self.ctx, main.init)

    def progress(self):
        return [chunk.progress for chunk in self.ctx.sent]

    def test_finds_fables_and_reports_progress(self):
        task = self.find("fox", seed=7)
        self.assertEqual(len(task.fables), 2)
        self.assertEqual((task.start, task.max_words, task.seed), ("The fox", 40, 7))
        self.assertEqual(self.progress(), ["Reading 12 fables", "2 of them are about the fox"])

    def test_exits_early_without_a_fable(self):
        chunk = self.find("whale")
        self.assertEqual(chunk.progress, "No fable is about the whale")
        self.assertTrue(self.ctx.early_exited)
        self.assertEqual(self.progress(), ["Reading 12 fables"])

    def test_wants_an_animal(self):
        with self.assertRaisesRegex(ValueError, "name an animal"):
            self.find(" ")
        self.assertEqual(self.ctx.sent, [])


if __name__ == "__main__":
    unittest.main()
