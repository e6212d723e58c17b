"""Serves moto (an emulator of AWS) on a free port of the loopback interface, for the tests.

Writes the port on a line, and ends when its standard input ends: with the process that started it, however that ends.
"""

import os
import sys
import threading
import time

import moto.sqs.models
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server


def end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def one_at_a_time(app):
    """DynamoDB isolates transactions. moto takes back one that failed by restoring the table as it was before, and with it
    whatever others have written meanwhile: so its requests wait for each other. So do those that make queues: moto fails when
    one is made while it goes through them."""
    lock = threading.Lock()

    def answer(environ, start_response):
        if environ.get("HTTP_X_AMZ_TARGET", "").startswith(("DynamoDB", "AmazonSQS.CreateQueue")):
            with lock:
                return app(environ, start_response)
        return app(environ, start_response)

    return answer


def mend_queues() -> None:
    """moto asks what time it is for every message whenever it looks at a queue, and takes long to find out. It deletes a message
    by copying the others: of two that are deleted at once one is there again, and one that is sent meanwhile is lost."""
    moto.sqs.models.unix_time_millis = lambda: time.time() * 1000
    delete = moto.sqs.models.Queue.delete_message

    def alone(queue, receipt_handle):
        with queue._messages_lock:
            delete(queue, receipt_handle)

    moto.sqs.models.Queue.delete_message = alone


def main() -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    mend_queues()
    app = one_at_a_time(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    # moto puts its own address into queue URLs.
    os.environ["MOTO_PORT"] = str(server.port)
    print(server.port, flush=True)
    server.serve_forever()


main()
