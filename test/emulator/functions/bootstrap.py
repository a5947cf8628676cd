# A custom runtime in Python, with nothing but the standard library.
import json
import os
import socket
import sys
import urllib.request

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
ROOT = f"http://{API}/2018-06-01/runtime/invocation"


def stream(request_id, pieces, cut, error):
    """A streamed result, by hand: chunks, and an error in trailers behind them."""
    host, port = API.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST /2018-06-01/runtime/invocation/{request_id}/response HTTP/1.1\r\n"
            f"Host: {API}\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
            "Transfer-Encoding: chunked\r\n"
            "Trailer: Lambda-Runtime-Function-Error-Type\r\n\r\n".encode()
        )
        for piece in pieces:
            connection.sendall(f"{len(piece):x}\r\n{piece}\r\n".encode())
        if cut:
            return
        trailer = f"Lambda-Runtime-Function-Error-Type: {error}\r\n" if error else ""
        connection.sendall(f"0\r\n{trailer}\r\n".encode())
        connection.recv(4096)


while True:
    with urllib.request.urlopen(f"{ROOT}/next") as response:
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.load(response)
    print("python has", event, flush=True)
    if "stream" in event:
        stream(request_id, event["stream"], event.get("cut"), event.get("error"))
        continue
    if "memory" in event:
        kept = bytearray(event["memory"] * 1024 * 1024)
        for at in range(0, len(kept), 4096):
            kept[at] = 1
    if "fork" in event:
        kept = os.urandom(event["fork"] * 1024 * 1024)
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                import time

                time.sleep(0.5)
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
    answer = json.dumps({"python": sys.version_info[0], "event": event}).encode()
    urllib.request.urlopen(f"{ROOT}/{request_id}/response", data=answer).read()
