"""A hook without its decorator."""


def pacsfw_layouts():
    return []
