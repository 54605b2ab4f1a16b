"""stomp.py over TCP against a running broker. Usage: stomp_py.py PORT

Prints a line a check, "ok   NAME" or "FAIL NAME", and ends with 1 when one failed.
"""
import os
import queue
import socket
import sys
import threading
import time
import traceback
import uuid

import stomp

HOST, PORT = "127.0.0.1", int(sys.argv[1])
# However slow the machine: it is only waited for in vain once.
WAIT = 60


class Inbox(stomp.ConnectionListener):
    """What a connection heard, by kind, to be waited for."""

    def __init__(self):
        self.messages, self.receipts, self.errors = queue.Queue(), queue.Queue(), queue.Queue()
        self.connected, self.disconnected = threading.Event(), threading.Event()
        self.beats, self.timeouts, self.greeting = 0, 0, None

    def on_connected(self, frame):
        self.greeting = frame
        self.disconnected.clear()
        self.connected.set()

    def on_disconnected(self):
        self.connected.clear()
        self.disconnected.set()

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame)

    def on_error(self, frame):
        self.errors.put(frame)

    def on_heartbeat(self):
        self.beats += 1

    def on_heartbeat_timeout(self):
        self.timeouts += 1

    def message(self):
        return self.messages.get(timeout=WAIT)

    def receipt(self, wanted):
        seen = []
        end = time.time() + WAIT
        while time.time() < end:
            try:
                frame = self.receipts.get(timeout=0.2)
            except queue.Empty:
                assert self.errors.empty(), self.errors.get().body
                continue
            if frame.headers["receipt-id"] == wanted:
                return frame
            seen.append(frame.headers["receipt-id"])
        raise AssertionError(f"no receipt {wanted}, only {seen}")

    def silent(self, seconds=0.3):
        time.sleep(seconds)
        assert self.messages.empty(), f"unexpected: {self.messages.get().body!r}"


def connect(version=stomp.StompConnection12, **options):
    connection = version([(HOST, PORT)], **options)
    inbox = Inbox()
    connection.set_listener("inbox", inbox)
    connection.connect("user", "secret", wait=True)
    return connection, inbox


def bye(*connections):
    for connection in connections:
        if connection.is_connected():
            connection.disconnect()


def receipted(connection, inbox, action, *args, **kwargs):
    receipt = uuid.uuid4().hex
    if action in ("ack", "nack"):
        kwargs["receipt"] = receipt
    else:
        kwargs["headers"] = {**kwargs.get("headers", {}), "receipt": receipt}
    getattr(connection, action)(*args, **kwargs)
    return inbox.receipt(receipt)


def topic():
    return f"/topic/e2e.{uuid.uuid4().hex}"


def a_message_reaches_every_subscriber():
    a, inbox_a = connect()
    b, inbox_b = connect()
    place = topic()
    receipted(a, inbox_a, "subscribe", place, id="1")
    receipted(b, inbox_b, "subscribe", place, id="1")
    a.send(place, "hello", content_type="text/plain")
    for inbox in (inbox_a, inbox_b):
        got = inbox.message()
        assert got.body == "hello", got.body
        assert got.headers["destination"] == place
        assert got.headers["subscription"] == "1"
        assert got.headers["content-type"] == "text/plain"
        assert got.headers["message-id"]
    bye(a, b)


def messages_keep_their_order():
    a, inbox = connect()
    place = topic()
    receipted(a, inbox, "subscribe", place, id="1")
    for number in range(200):
        a.send(place, str(number))
    assert [inbox.message().body for _ in range(200)] == [str(n) for n in range(200)]
    bye(a)


def each_version_is_spoken():
    for version, number in ((stomp.StompConnection10, "1.0"), (stomp.StompConnection11, "1.1"), (stomp.StompConnection12, "1.2")):
        a, inbox = connect(version)
        assert inbox.greeting.headers["version"] == number, inbox.greeting.headers
        place = topic()
        receipted(a, inbox, "subscribe", place, id="1")
        a.send(place, f"in {number}")
        assert inbox.message().body == f"in {number}"
        bye(a)


def receipts_come_for_every_verb_in_order():
    a, inbox = connect()
    place = topic()
    a.subscribe(place, id="1", headers={"receipt": "r1"})
    a.send(place, "x", headers={"receipt": "r2"})
    a.begin(transaction="t", headers={"receipt": "r3"})
    a.send(place, "y", headers={"receipt": "r4"}, transaction="t")
    a.commit(transaction="t", headers={"receipt": "r5"})
    a.unsubscribe(id="1", headers={"receipt": "r6"})
    got = [inbox.receipts.get(timeout=WAIT).headers["receipt-id"] for _ in range(6)]
    assert got == ["r1", "r2", "r3", "r4", "r5", "r6"], got
    bye(a)


def disconnect_is_receipted():
    a, inbox = connect()
    a.disconnect(receipt="bye")
    inbox.receipt("bye")
    assert inbox.disconnected.wait(WAIT)


def heart_beats_flow_both_ways():
    # Not more often: both sides give up a peer that a busy machine holds up for two intervals.
    a, inbox = connect(heartbeats=(1500, 1500))
    assert inbox.greeting.headers["heart-beat"] == "1500,1500", inbox.greeting.headers
    end = time.time() + WAIT
    while inbox.beats < 3 and time.time() < end:
        time.sleep(0.1)
    assert inbox.beats >= 3, inbox.beats
    assert inbox.timeouts == 0
    assert a.is_connected(), "the server must see our beats"
    bye(a)


def a_silent_client_is_dropped():
    with socket.create_connection((HOST, PORT)) as raw:
        raw.settimeout(WAIT)
        raw.sendall(b"CONNECT\naccept-version:1.2\nhost:h\nheart-beat:500,0\n\n\0")
        heard = b""
        begin = time.time()
        while True:
            data = raw.recv(4096)
            if not data:
                break
            heard += data
        assert heard.startswith(b"CONNECTED"), heard
        assert 0.8 < time.time() - begin, time.time() - begin


def a_commit_delivers_and_an_abort_does_not():
    a, inbox_a = connect()
    b, inbox_b = connect()
    place = topic()
    receipted(b, inbox_b, "subscribe", place, id="1")
    first = a.begin()
    a.send(place, "never", transaction=first)
    a.abort(first)
    second = a.begin()
    a.send(place, "one", transaction=second)
    a.send(place, "two", transaction=second)
    inbox_b.silent()
    receipted(a, inbox_a, "commit", second)
    assert [inbox_b.message().body, inbox_b.message().body] == ["one", "two"]
    inbox_b.silent()
    bye(a, b)


def a_binary_body_arrives_byte_by_byte():
    a, inbox = connect(auto_decode=False)
    place = topic()
    receipted(a, inbox, "subscribe", place, id="1")
    body = bytes(range(256)) * 64
    a.send(place, body, content_type="application/octet-stream")
    got = inbox.message()
    assert got.body == body, f"{len(got.body)} of {len(body)} bytes"
    bye(a)


def unicode_travels_in_bodies_and_headers():
    a, inbox = connect()
    place = f"{topic()}.안녕"
    receipted(a, inbox, "subscribe", place, id="1")
    a.send(place, "안녕하세요 🎉 <b>", headers={"이름": "값: 콜론"})
    got = inbox.message()
    assert got.body == "안녕하세요 🎉 <b>", got.body
    assert got.headers["이름"] == "값: 콜론", got.headers
    assert got.headers["destination"] == place
    bye(a)


def escaped_headers_survive():
    a, inbox = connect()
    place = topic()
    receipted(a, inbox, "subscribe", place, id="1")
    # Values only: this client does not escape names.
    a.send(place, "x", headers={"odd": "a:b\\c\nd\re"})
    got = inbox.message()
    assert got.headers["odd"] == "a:b\\c\nd\re", got.headers
    bye(a)


def a_large_body_arrives():
    a, inbox = connect()
    place = topic()
    receipted(a, inbox, "subscribe", place, id="1")
    body = "0123456789abcdef" * 60_000
    a.send(place, body)
    assert inbox.message().body == body
    bye(a)


def unsubscribe_ends_delivery():
    a, inbox = connect()
    place = topic()
    receipted(a, inbox, "subscribe", place, id="1")
    receipted(a, inbox, "unsubscribe", id="1")
    receipted(a, inbox, "send", place, "x")
    inbox.silent()
    bye(a)


def topic_subscriptions_take_every_ack_mode():
    a, inbox = connect()
    for mode in ("auto", "client", "client-individual"):
        place = topic()
        receipted(a, inbox, "subscribe", place, id=mode, ack=mode)
        for number in range(3):
            a.send(place, f"{mode} {number}")
        got = [inbox.message() for _ in range(3)]
        assert [frame.body for frame in got] == [f"{mode} {n}" for n in range(3)]
        if mode == "auto":
            assert "ack" not in got[0].headers, got[0].headers
        elif mode == "client":
            receipted(a, inbox, "ack", got[2].headers["ack"])
        else:
            receipted(a, inbox, "ack", got[1].headers["ack"])
            receipted(a, inbox, "nack", got[0].headers["ack"])
            receipted(a, inbox, "ack", got[2].headers["ack"])
    bye(a)


def an_error_names_the_fault_and_closes():
    a, inbox = connect()
    a.send("nowhere", "x", headers={"receipt": "r"})
    error = inbox.errors.get(timeout=WAIT)
    assert error.headers["message"], error.headers
    assert error.headers.get("receipt-id") == "r", error.headers
    assert inbox.disconnected.wait(WAIT), "still open after an ERROR"


def a_cut_connection_can_come_back():
    a, inbox = connect()
    place = topic()
    receipted(a, inbox, "subscribe", place, id="1")
    # No goodbye: the socket is torn down under the client, as a network does it.
    a.transport.socket.shutdown(socket.SHUT_RDWR)
    assert inbox.disconnected.wait(WAIT)
    a.connect("user", "secret", wait=True)
    receipted(a, inbox, "subscribe", place, id="1")
    a.send(place, "back")
    assert inbox.message().body == "back"
    bye(a)


def a_queue_gives_each_message_to_one_of_two():
    a, inbox_a = connect()
    b, inbox_b = connect()
    place = f"/queue/e2e.{uuid.uuid4().hex}"
    receipted(a, inbox_a, "subscribe", place, id="1", ack="client-individual", headers={"prefetch-count": "1"})
    receipted(b, inbox_b, "subscribe", place, id="1", ack="client-individual", headers={"prefetch-count": "1"})
    for number in range(20):
        a.send(place, str(number))
    got = []
    end = time.time() + WAIT
    while len(got) < 20 and time.time() < end:
        for connection, inbox in ((a, inbox_a), (b, inbox_b)):
            try:
                frame = inbox.messages.get(timeout=0.02)
            except queue.Empty:
                continue
            got.append(int(frame.body))
            connection.ack(frame.headers["ack"])
    assert sorted(got) == list(range(20)), got
    bye(a, b)


def a_nacked_queue_message_comes_again():
    a, inbox = connect()
    place = f"/queue/e2e.{uuid.uuid4().hex}"
    receipted(a, inbox, "subscribe", place, id="1", ack="client-individual")
    a.send(place, "again")
    first = inbox.message()
    a.nack(first.headers["ack"])
    second = inbox.message()
    assert second.body == "again" and second.headers["redelivered"] == "true", second.headers
    receipted(a, inbox, "ack", second.headers["ack"])
    bye(a)


def an_unacknowledged_queue_message_goes_to_the_next():
    a, inbox_a = connect()
    place = f"/queue/e2e.{uuid.uuid4().hex}"
    receipted(a, inbox_a, "send", place, "kept while nobody listens")
    receipted(a, inbox_a, "subscribe", place, id="1", ack="client")
    assert inbox_a.message().body == "kept while nobody listens"
    a.transport.socket.shutdown(socket.SHUT_RDWR)
    b, inbox_b = connect()
    receipted(b, inbox_b, "subscribe", place, id="1", ack="client")
    got = inbox_b.message()
    assert got.body == "kept while nobody listens"
    receipted(b, inbox_b, "ack", got.headers["ack"])
    bye(b)


CHECKS = [
    a_message_reaches_every_subscriber,
    messages_keep_their_order,
    each_version_is_spoken,
    receipts_come_for_every_verb_in_order,
    disconnect_is_receipted,
    heart_beats_flow_both_ways,
    a_silent_client_is_dropped,
    a_commit_delivers_and_an_abort_does_not,
    a_binary_body_arrives_byte_by_byte,
    unicode_travels_in_bodies_and_headers,
    escaped_headers_survive,
    a_large_body_arrives,
    unsubscribe_ends_delivery,
    topic_subscriptions_take_every_ack_mode,
    an_error_names_the_fault_and_closes,
    a_cut_connection_can_come_back,
    a_queue_gives_each_message_to_one_of_two,
    a_nacked_queue_message_comes_again,
    an_unacknowledged_queue_message_goes_to_the_next,
]


def main():
    failed = 0
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        begin = time.time()
        try:
            check()
            print(f"ok   stomp.py: {name} ({(time.time() - begin) * 1000:.0f} ms)", flush=True)
        except Exception:
            failed += 1
            reason = traceback.format_exc().strip().replace("\n", "\n     ")
            print(f"FAIL stomp.py: {name}\n     {reason}", flush=True)
    # Connections that a failed check left open have threads that would keep the program alive.
    sys.stdout.flush()

    os._exit(1 if failed else 0)


main()
