"""A push service and its browser, of other people's making: http_ece opens what py_vapid has vouched for.

Prints one JSON line with its subscription, then one for every request: what was in it, or what was wrong with it.
"""
import base64
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


private = ec.generate_private_key(ec.SECP256R1())
public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
auth = os.urandom(16)


def tell(what):
    print(json.dumps(what), flush=True)


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            told = self.opened(body)
            status = 201
        except Exception as error:  # whatever the libraries object to is the finding
            told = {"fault": repr(error)}
            status = 400
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()
        tell(told)

    def opened(self, body):
        authorization = self.headers["authorization"]
        if not Vapid02.verify(authorization):
            raise ValueError("the signature of VAPID is wrong")
        token = authorization.split("t=", 1)[1].split(",", 1)[0]
        claims = json.loads(unb64(token.split(".")[1]))
        origin = f"http://127.0.0.1:{self.server.server_port}"
        if claims["aud"] != origin:
            raise ValueError(f"the audience is {claims['aud']}, not {origin}")
        if not time.time() < claims["exp"] <= time.time() + 24 * 3600:
            raise ValueError("it ends never, or has ended")
        if self.headers["content-encoding"] != "aes128gcm" or len(body) > 4096:
            raise ValueError("the body is not what a push service takes")
        plain = http_ece.decrypt(body, private_key=private, auth_secret=auth, version="aes128gcm")
        headers = {name: self.headers[name] for name in ("ttl", "topic", "urgency")}
        return {"payload": json.loads(plain), "size": len(plain), "claims": claims, "headers": headers}

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
endpoint = f"http://127.0.0.1:{server.server_port}/push/a"
tell({"endpoint": endpoint, "keys": {"p256dh": b64(public), "auth": b64(auth)}})
try:
    server.serve_forever()
except KeyboardInterrupt:
    sys.exit(0)
