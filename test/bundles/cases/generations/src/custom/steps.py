def passed(value):
    value["rate"] = value["rate"] / 2
    return value
