"""Print, as JSON, the public members of a class in a file of Python, or of the whole file."""

import ast
import json
import sys


def signature(node):
    """The name with its parameters; of a property the name alone."""
    if any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list):
        return node.name
    args = node.args
    if args.args and args.args[0].arg == "self":
        args.args.pop(0)
    return "%s(%s)" % (node.name, ast.unparse(args))


def members(body, name):
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            yield {"class": name, "name": node.name, "signature": signature(node), "doc": ast.get_docstring(node) or ""}
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and not node.targets[0].id.startswith("_"):
            alias = node.targets[0].id
            yield {"class": name, "name": alias, "signature": alias, "doc": "", "same": node.value.id}


def main(file, wanted):
    with open(file, encoding="utf-8") as source:
        tree = ast.parse(source.read())
    found = [] if wanted else list(members(tree.body, ""))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and (node.name == wanted or not wanted and not node.name.startswith("_")):
            found.append({"class": node.name, "name": "", "signature": "", "doc": ast.get_docstring(node) or ""})
            found += members(node.body, node.name)
    if not found:
        raise SystemExit("%s has no class %s" % (file, wanted))
    json.dump(found, sys.stdout)


main(*sys.argv[1:])
