"""Python's lambda-requests, which ours follows: the same calls, measured in the same way as measure/ does it."""

import hashlib
import json
import os
import sys
import time

what, job = sys.argv[1], json.loads(sys.argv[2])
BODY = {"sku": "A-1", "quantity": 2, "note": "no sugar"}
# Where boto3 looks for the endpoint.
VARIABLE = "AWS_ENDPOINT_URL"
SETTLE_S = 0.06
SETTLE_CALLS = 3


def cold():
    os.environ[VARIABLE] = job["endpoint"]
    begin = time.perf_counter()
    import lambda_requests

    imported = time.perf_counter()
    answer = lambda_requests.Session(region="us-east-1").get("http+lambda://orders/items?limit=1").json()
    end = time.perf_counter()
    check(answer)
    cpu = time.process_time() * 1000
    return {"import": 1000 * (imported - begin), "cold": 1000 * (end - begin), "cpu": cpu, "memory": peak_memory()}


def calls():
    import lambda_requests

    results = {}
    for case in job["cases"]:
        os.environ[VARIABLE] = case["endpoint"]
        if "NODE_EXTRA_CA_CERTS" in os.environ:
            os.environ["AWS_CA_BUNDLE"] = os.environ["NODE_EXTRA_CA_CERTS"]
        check_calls(lambda_requests.Session(region="us-east-1"))
        # A session is not for several threads, and making clients at the same time is not either.
        sessions = []
        for _ in range(case["inFlight"]):
            sessions.append(lambda_requests.Session(region="us-east-1"))
            check(call(sessions[-1], case["verb"]))
        run(case, sessions, SETTLE_S, SETTLE_CALLS)
        cpu, begin = time.process_time(), time.perf_counter()
        taken = run(case, sessions, case["seconds"], 1)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - begin
        results[case["id"]] = {"cpu": 1e6 * cpu / len(taken), "rate": len(taken) / wall}
        if case["inFlight"] == 1:
            taken.sort()
            share = lambda part: 1000 * taken[min(int(len(taken) * part), len(taken) - 1)]
            results[case["id"]].update({"p50": share(0.5), "p99": share(0.99)})
    return {"cases": results, "memory": peak_memory()}


def run(case, sessions, seconds, at_least):
    from concurrent.futures import ThreadPoolExecutor

    end = time.perf_counter() + seconds

    def caller(session):
        taken = []
        while len(taken) < at_least or time.perf_counter() < end:
            begin = time.perf_counter()
            check(call(session, case["verb"]))
            taken.append(time.perf_counter() - begin)
        return taken

    with ThreadPoolExecutor(len(sessions)) as pool:
        return [time for times in pool.map(caller, sessions) for time in times]


def call(session, verb):
    if verb == "get":
        return session.get("http+lambda://orders/items", params={"limit": 1}).json()
    return session.post("http+lambda://orders/items", json=BODY).json()


def check_calls(session):
    check(call(session, "get"))
    check(call(session, "post"))
    arrived = session.get("http+lambda://digest/items", params={"limit": 1}).json()
    if (arrived["method"], arrived["path"], arrived["limit"]) != ("GET", "/items", "1"):
        raise ValueError(f"a wrong GET: {arrived}")
    arrived = session.post("http+lambda://digest/items", json=BODY).json()
    digest = hashlib.sha256(json.dumps(BODY).encode()).hexdigest()
    if (arrived["method"], arrived["sha256"]) != ("POST", digest):
        raise ValueError(f"a wrong POST: {arrived}")


def check(answer):
    if answer["items"][0]["sku"] != "A-1":
        raise ValueError("a wrong answer")


def peak_memory():
    try:
        with open("/proc/self/status") as status:
            return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


print(json.dumps({"cold": cold, "calls": calls}[what]()))
