"""x"""


def load_source(config): ...
