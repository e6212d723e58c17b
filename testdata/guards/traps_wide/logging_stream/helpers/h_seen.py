import logging

SEEN = []


class Stream:
    def write(self, text):
        SEEN.append(text)

    def flush(self):
        pass


logging.basicConfig(stream=Stream(), force=True)
