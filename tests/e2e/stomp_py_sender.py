"""Sends chat messages with stomp.py until the connection is cut.

Usage: TOKEN=... stomp_py_sender.py PORT ROOM PREFIX WINDOW MOST
Prints "sent ID" before each SEND and "receipt ID" behind each RECEIPT.
"""
import json
import os
import sys
import threading

import stomp

port, room, prefix, window, most = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
free = threading.Semaphore(window)
cut = threading.Event()
output = threading.Lock()


def tell(word, identity):
    with output:
        print(word, identity, flush=True)


class Listener(stomp.ConnectionListener):
    def on_receipt(self, frame):
        tell("receipt", frame.headers["receipt-id"])
        free.release()

    def on_error(self, frame):
        print(f"ERROR {frame.headers} {frame.body}", file=sys.stderr, flush=True)

    def on_disconnected(self):
        cut.set()
        free.release()


connection = stomp.StompConnection12([("127.0.0.1", port)], reconnect_attempts_max=1)
connection.set_listener("listener", Listener())
connection.connect(passcode=os.environ["TOKEN"], username="ignored", wait=True)
for number in range(1, most + 1):
    free.acquire()
    if cut.is_set():
        break
    identity = f"{prefix}{number}"
    tell("sent", identity)
    try:
        connection.send(
            f"/app/rooms.{room}.send",
            json.dumps({"text": f"text of {identity}"}),
            headers={"client-message-id": identity, "receipt": identity},
        )
    except Exception:
        break
cut.wait(20)
sys.stdout.flush()
os._exit(0)
