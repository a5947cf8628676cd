"""The application in Flask, behind a WSGI adapter of the tests' own.

Reads one event a line from standard input, writes one result a line to standard output, both JSON. The first argument is
the JSON of the constants in app.ts, bytes in base64.
"""

import io
import json
import sys
from base64 import b64decode, b64encode
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

from flask import Flask, Response, jsonify, redirect, request

CONSTANTS = json.loads(sys.argv[1])
COMPRESSED = {name: b64decode(text) for name, text in CONSTANTS["compressed"].items()}
BYTES = b64decode(CONSTANTS["bytes"])
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]

app = Flask(__name__, static_folder=None)
# Left to itself, it redirects from two slashes to one, and prints what a view raises.
app.url_map.merge_slashes = False
app.logger.disabled = True


# Left to itself, it answers OPTIONS.
@app.route("/echo", methods=METHODS, provide_automatic_options=False)
@app.route("/echo/", methods=METHODS, provide_automatic_options=False)
@app.route("/echo/<path:rest>", methods=METHODS, provide_automatic_options=False)
def echo(rest=""):
    path, _, query = request.environ["RAW_URI"].partition("?")
    return jsonify(
        method=request.method,
        path=path,
        query=parse_qsl(query, keep_blank_values=True),
        headers={name.lower(): value for name, value in request.headers},
        body=b64encode(request.get_data()).decode(),
    )


@app.get("/query")
def query():
    return jsonify(fields(request.args))


@app.get("/cookies")
def cookies():
    response = Response("ok")
    for cookie in CONSTANTS["cookies"]:
        response.headers.add("Set-Cookie", cookie)
    return response


@app.get("/cookies/dated")
def dated_cookie():
    return Response("ok", headers={"Set-Cookie": CONSTANTS["datedCookie"]})


@app.get("/cookies/seen")
def cookies_seen():
    return jsonify(request.headers.get("Cookie", ""))


@app.route("/status/<int:code>", methods=METHODS)
def status(code):
    return Response("" if code in (204, 205, 304) else f"status {code}", code)


@app.get("/text")
def text():
    return Response(CONSTANTS["text"], content_type="text/plain; charset=utf-8")


@app.get("/bytes")
def octets():
    return Response(BYTES, content_type="application/octet-stream")


@app.post("/bytes")
def bytes_back():
    return Response(request.get_data(), content_type=request.headers.get("Content-Type", "application/octet-stream"))


@app.get("/<any(gzip, deflate, br):encoding>")
def compressed(encoding):
    headers = {"Content-Encoding": encoding}
    return Response(COMPRESSED[encoding], headers=headers, content_type="application/json; charset=utf-8")


@app.post("/form")
def form():
    return jsonify(fields(request.form))


@app.post("/json")
def received():
    return jsonify(received=request.get_json())


@app.get("/redirect")
def redirected():
    return redirect("/text")


@app.get("/headers")
def headers():
    return Response("ok", headers=[("X-One", "1"), ("X-Many", "a"), ("X-Many", "b"), ("Cache-Control", "no-store")])


@app.get("/empty")
def empty():
    return Response()


@app.get("/error")
def error():
    raise RuntimeError("broken on purpose")


def fields(values):
    return {name: found if len(found) > 1 else found[0] for name, found in values.lists()}


def handler(event):
    """A Lambda handler for the events of REST APIs, HTTP APIs and load balancers."""
    body = event.get("body") or ""
    body = b64decode(body) if event["isBase64Encoded"] else body.encode()
    environ = {
        "REQUEST_METHOD": event.get("httpMethod") or event["requestContext"]["http"]["method"],
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if event.get("version") == "2.0":
        path, query_string = event["rawPath"], event["rawQueryString"]
        # It is decoded already.
        path_bytes = path.encode()
        pairs = list(event["headers"].items())
        if "cookies" in event:
            pairs.append(("cookie", "; ".join(event["cookies"])))
    else:
        path = event["path"]
        path_bytes = unquote_to_bytes(path)
        values = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters") or {}
        if "elb" in event["requestContext"]:
            # It is still encoded.
            query_string = "&".join(f"{name}={value}" for name, value in values.items())
        else:
            query_string = urlencode(values, doseq=True)
        multi = event.get("multiValueHeaders") or {}
        pairs = [(name, ",".join(multi.get(name, [value]))) for name, value in event["headers"].items()]
    # WSGI: bytes, each as the character of the same number.
    environ |= {"PATH_INFO": path_bytes.decode("latin-1"), "QUERY_STRING": query_string}
    environ["RAW_URI"] = f"{path}?{query_string}"
    for name, value in pairs:
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value

    answer = {}

    def start_response(status_line, response_headers, exc_info=None):
        answer.update(statusCode=int(status_line[:3]), fields=response_headers)

    chunks = app(environ, start_response)
    content = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    return result(event, answer["statusCode"], answer["fields"], content)


def result(event, status_code, response_headers, content):
    lists = {}
    for name, value in response_headers:
        lists.setdefault(name.lower(), []).append(value)
    try:
        made = {"statusCode": status_code, "body": content.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        made = {"statusCode": status_code, "body": b64encode(content).decode(), "isBase64Encoded": True}
    if event.get("version") == "2.0":
        set_cookie = lists.pop("set-cookie", [])
        return {**made, "cookies": set_cookie, "headers": {name: ", ".join(found) for name, found in lists.items()}}
    if "multiValueHeaders" in event:
        return {**made, "multiValueHeaders": lists}
    # One value for each spelling: set-cookie, Set-cookie, sEt-cookie and so on.
    spelled = {respell(name, index): value for name, found in lists.items() for index, value in enumerate(found)}
    return {**made, "headers": spelled}


def respell(name, index):
    return name if index == 0 else name[: index - 1] + name[index - 1].upper() + name[index:]


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    sys.stdin.reconfigure(encoding="utf-8")
    for line in sys.stdin:
        print(json.dumps(handler(json.loads(line)), ensure_ascii=False), flush=True)
