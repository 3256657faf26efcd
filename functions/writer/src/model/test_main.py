import unittest

from krt.testing import Context, stream

import main
from internal_nodes_pb2 import Task

FABLE = "A fox saw ripe grapes. A fox saw a crow."


class ModelTest(unittest.TestCase):
    def setUp(self):
        main.PAUSE = 0

    def write(self, seed, ctx=None):
        task = Task(fables=[FABLE], start="The fox", max_words=30, seed=seed)
        return [chunk.text for chunk in stream(main.handler, task, ctx)]

    def test_writes_word_by_word(self):
        ctx = Context()
        words = self.write(1, ctx)
        self.assertEqual(len(words), 31)
        self.assertEqual(words[:2], ["The fox", "saw"])
        self.assertLessEqual(set(words[1:]), set(FABLE.split()))
        self.assertEqual(ctx.measurements[0]["fields"], {"words": 30})

    def test_the_same_seed_writes_the_same(self):
        self.assertEqual(self.write(1), self.write(1))
        self.assertNotEqual(self.write(1), self.write(2))


if __name__ == "__main__":
    unittest.main()
