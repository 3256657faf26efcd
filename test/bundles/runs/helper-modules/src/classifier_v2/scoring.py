from public_input_pb2 import Category


def category(words, email):
    if email.headers.get("X-Spam") == "yes":
        return Category.Value("SPAM")
    if words.intersection(w.lower() for w in email.words):
        return Category.Value("REPAIR")
    return Category.Value("UNKNOWN")
