class Found:
    NAMES = ("Any",)


def __getattr__(name):
    return Found
