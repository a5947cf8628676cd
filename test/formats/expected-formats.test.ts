/** A function that was written for another event says so in its own words; the 502's text says which option to try. */
import { describe, expect, test } from "vitest";
import { createFetch } from "../../src/fetch.ts";
import { expectedFormats, type PayloadFormat } from "../../src/formats/formats.ts";
import { handlerInvoker } from "../../src/invoke/handler.ts";
import type { Invoker } from "../../src/invoke/invoker.ts";

const ALB = '"alb" or "alb-multi-value"';
const PAYLOAD_2 = '"http-api" or "function-url"';
const ANY_OTHER = '"http-api", "function-url" or "alb"';

const MANGUM =
  "The adapter was unable to infer a handler to use for the event. This is likely related to how the Lambda function " +
  "was invoked. (Are you testing locally? Make sure the request payload is valid for a supported handler.)";
const RUST = "&lambda_runtime::deserializer::DeserializeError";
const RUST_CONTEXT = "failed to deserialize the incoming data into the function's payload type";
const LAMBDA_HTTP =
  "this function expects a JSON payload from Amazon API Gateway, Amazon Elastic Load Balancer, or AWS Lambda Function " +
  "URLs, but the data doesn't match any of those services' events";
const BREF =
  "This handler expected to be invoked with a API Gateway or ALB event (check that you are using the correct Bref " +
  "runtime: https://bref.sh/docs/runtimes/#bref-runtimes).\nInstead, the handler was invoked with invalid event data: null";

/** What libraries and runtimes really say. */
const WRONG_EVENT: readonly [who: string, errorType: string | undefined, errorMessage: string, formats: string][] = [
  ["serverless-express", "Error", "Unable to determine event source based on event.", ANY_OTHER],
  ["Mangum", "RuntimeError", MANGUM, ANY_OTHER],
  ["Powertools for TypeScript", "InvalidEventError", "", ANY_OTHER],
  ["lambda_http", RUST, `${RUST_CONTEXT}: ${LAMBDA_HTTP}\n`, ANY_OTHER],
  [
    "lambda_runtime, V2",
    RUST,
    `${RUST_CONTEXT}: [requestContext] missing field \`http\` at line 1 column 9\n`,
    PAYLOAD_2,
  ],
  ["lambda_runtime, ALB", RUST, `${RUST_CONTEXT}: [requestContext] missing field \`elb\` at line 1 column 9\n`, ALB],
  ["a runtime without error types", undefined, LAMBDA_HTTP, ANY_OTHER],
  ["Bref", "Bref\\Event\\InvalidLambdaEvent", BREF, ANY_OTHER],
  ["Python, event['rawPath']", "KeyError", "'rawPath'", PAYLOAD_2],
  ["Python, event['rawQueryString']", "KeyError", "'rawQueryString'", PAYLOAD_2],
  ["Python, event['routeKey']", "KeyError", "'routeKey'", PAYLOAD_2],
  ["Python, event['requestContext']['http']", "KeyError", "'http'", PAYLOAD_2],
  ["Python, event['requestContext']['elb']", "KeyError", "'elb'", ALB],
  ["Ruby, event.fetch('rawPath')", "Function<KeyError>", 'key not found: "rawPath"', PAYLOAD_2],
  [
    "pydantic",
    "ValidationError",
    "2 validation errors for Event\nrequestContext.http\n  Field required [type=missing]\nrawPath\n  Field required",
    PAYLOAD_2,
  ],
  ["zod", "ZodError", '[{"code":"invalid_type","path":["requestContext","http"],"message":"Required"}]', PAYLOAD_2],
  ["zod, of an ALB", "ZodError", '[{"path": [\n "requestContext",\n "elb"\n], "message": "Required"}]', ALB],
  [
    "Node, event.requestContext.http.method",
    "TypeError",
    "Cannot read properties of undefined (reading 'method')",
    PAYLOAD_2,
  ],
  [
    "Node, const { method } = event.requestContext.http",
    "TypeError",
    "Cannot destructure property 'method' of 'event.requestContext.http' as it is undefined.",
    PAYLOAD_2,
  ],
  [
    "Node, event.requestContext.elb.targetGroupArn",
    "TypeError",
    "Cannot read properties of undefined (reading 'targetGroupArn')",
    ALB,
  ],
  [
    "Node, const { targetGroupArn } = event.requestContext.elb",
    "TypeError",
    "Cannot destructure property 'targetGroupArn' of 'event.requestContext.elb' as it is undefined.",
    ALB,
  ],
];

/** What has nothing to do with the event. */
const ORDINARY: readonly [errorType: string | undefined, errorMessage: string][] = [
  ["Error", "boom"],
  ["Error", ""],
  [undefined, ""],
  ["Error", "order 7 has no method"],
  ["Error", "the patient's elbow is broken"],
  ["Error", "no elb is configured"],
  ["TargetGroupNotFoundException", "One or more target groups not found"],
  ["Error", "unsupported event type: order.cancelled"],
  ["Error", "unknown event order.created"],
  ["ValueError", "invalid event id"],
  ["Error", "unexpected event while reading 'method' of payment"],
  ["InvalidEventError", "the event begins after it ends"],
  ["Error", "InvalidEventError"],
  ["KeyError", "'method'"],
  ["KeyError", "'https'"],
  ["Error", "'http'"],
  ["KeyError", "'requestContext'"],
  ["Error", "only http and https are supported"],
  ["Error", "requestContext: https is required"],
  ["TypeError", "Cannot read properties of undefined (reading 'methods')"],
  ["TypeError", "Cannot read properties of null (reading 'http')"],
  ["Error", "this endpoint expects a JSON payload"],
  [RUST, `${RUST_CONTEXT}: missing field \`Records\` at line 1 column 1394\n`],
  ["Bref\\Event\\InvalidLambdaEvent", "This handler expected to be invoked with a S3 event."],
  ["Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: exit status 1"],
  ["Sandbox.Timedout", "2026-01-01T00:00:00.000Z 1 Task timed out after 3.00 seconds"],
];

test.each(WRONG_EVENT)("%s", (_who, errorType, errorMessage, formats) => {
  expect(expectedFormats(errorType, errorMessage)).toBe(formats);
});

test.each(ORDINARY)("%s: %j says nothing about the event", (errorType, errorMessage) => {
  expect(expectedFormats(errorType, errorMessage)).toBeUndefined();
});

describe("through fetch", () => {
  function failing(errorType: string | undefined, errorMessage: string): Invoker {
    const payload = Buffer.from(JSON.stringify({ errorType, errorMessage }));
    return { invoke: async () => ({ payload, functionError: "Unhandled" }) };
  }
  const textOf = async (invoker: Invoker, payloadFormat: PayloadFormat = "rest-api"): Promise<string> => {
    const response = await createFetch({ invoker, payloadFormat })("http+lambda://app/");
    expect(response.status).toBe(502);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    return response.text();
  };
  const hint = (name: string, formats: string): string =>
    `(The function was sent the event of the payload format "${name}". If it expects another, try ${formats}, ` +
    "with the option payloadFormat.)";

  test.each(WRONG_EVENT)("%s: its message, and what to try", async (_who, errorType, errorMessage, formats) => {
    const text = await textOf(failing(errorType, errorMessage));
    expect(text.trimStart()).toBe(`${errorMessage}\n\n${hint("rest-api", formats)}`.trimStart());
  });

  test.each(ORDINARY)("%s: %j alone", async (errorType, errorMessage) => {
    expect(await textOf(failing(errorType, errorMessage))).toBe(errorMessage);
  });

  test.each<[PayloadFormat, string, string, string | undefined]>([
    ["http-api", "KeyError", "'rawPath'", undefined],
    ["function-url", "KeyError", "'http'", undefined],
    ["alb", "KeyError", "'elb'", undefined],
    ["alb-multi-value", "KeyError", "'elb'", undefined],
    ["alb", "RuntimeError", MANGUM, undefined],
    ["alb", "KeyError", "'rawPath'", PAYLOAD_2],
    ["alb-multi-value", "InvalidEventError", "", ANY_OTHER],
    ["function-url", "KeyError", "'elb'", ALB],
  ])("%s is not told to try itself: %s %s", async (name, errorType, errorMessage, formats) => {
    const text = await textOf(failing(errorType, errorMessage), name);
    if (formats === undefined) expect(text).toBe(errorMessage);
    else expect(text).toContain(hint(name, formats));
  });

  test("a handler of payload 2.0 that gets a REST event", async () => {
    interface Event {
      requestContext: { http: { method: string } };
    }
    const handler = async (event: Event): Promise<object> => ({
      statusCode: 200,
      body: event.requestContext.http.method,
    });
    expect(await textOf(handlerInvoker(handler))).toBe(
      `Cannot read properties of undefined (reading 'method')\n\n${hint("rest-api", PAYLOAD_2)}`,
    );
    for (const payloadFormat of ["http-api", "function-url"] as const) {
      const response = await createFetch({ functions: { app: handler }, payloadFormat })("http+lambda://app/");
      expect([response.status, await response.text()]).toEqual([200, "GET"]);
    }
  });

  test("the function's error itself has no hint in it", async () => {
    const fetch = createFetch({ invoker: failing("KeyError", "'rawPath'") });
    const { invocation } = await fetch("http+lambda://app/");
    expect(invocation.functionError).toEqual({
      kind: "exception",
      errorType: "KeyError",
      errorMessage: "'rawPath'",
    });
  });
});
