import type { ALBEvent, APIGatewayProxyEvent, APIGatewayProxyEventV2, LambdaFunctionURLEvent } from "aws-lambda";
import { expect, expectTypeOf, test } from "vitest";
import {
  type AlbEvent,
  type AlbMultiValueEvent,
  alb,
  albMultiValue,
  type EventRequest,
  type Format,
  type FunctionUrlEvent,
  functionUrl,
  type HttpApiEvent,
  httpApi,
  type PayloadV2Event,
  type RestApiEvent,
  restApi,
} from "../../src/formats/index.ts";

// These are checked by the compiler; that the values are of their types, by the tests of each format.

const request: EventRequest = { method: "GET", path: "/", query: "", headers: [], body: null };
const target = { functionName: "app" };

/** No key of ours is unknown to them. */
type Unknown<Ours, Theirs> = Exclude<keyof Ours, keyof Theirs>;

test("an http-api event is an APIGatewayProxyEventV2", () => {
  const event: APIGatewayProxyEventV2 = httpApi.encode(request, target);
  expect(event.version).toBe("2.0");
  expectTypeOf<HttpApiEvent>().toExtend<APIGatewayProxyEventV2>();
  type Theirs = APIGatewayProxyEventV2;
  expectTypeOf<Unknown<HttpApiEvent, Theirs>>().toBeNever();
  expectTypeOf<Unknown<HttpApiEvent["requestContext"], Theirs["requestContext"]>>().toBeNever();
});

test("a function-url event is a LambdaFunctionURLEvent", () => {
  const event: LambdaFunctionURLEvent = functionUrl.encode(request, target);
  expect(event.version).toBe("2.0");
  expectTypeOf<FunctionUrlEvent>().toExtend<LambdaFunctionURLEvent>();
  expectTypeOf<FunctionUrlEvent>().toEqualTypeOf<PayloadV2Event>();
});

test("an event of a load balancer is an ALBEvent, in both modes", () => {
  const events: ALBEvent[] = [alb.encode(request, target), albMultiValue.encode(request, target)];
  expect(events.map(({ body }) => body)).toEqual(["", ""]);
  expectTypeOf<AlbEvent>().toExtend<ALBEvent>();
  expectTypeOf<AlbMultiValueEvent>().toExtend<ALBEvent>();
  expectTypeOf<Unknown<AlbEvent & AlbMultiValueEvent, ALBEvent>>().toBeNever();
});

test("a rest-api event is an APIGatewayProxyEvent, but for what AWS leaves out on an open API", () => {
  type Context = APIGatewayProxyEvent["requestContext"];
  type Open = Omit<APIGatewayProxyEvent, "requestContext"> & {
    requestContext: Omit<Context, "authorizer" | "identity"> & {
      identity: Omit<Context["identity"], "apiKey" | "apiKeyId" | "clientCert">;
    };
  };
  const event: Open = restApi.encode(request, target);
  expectTypeOf<RestApiEvent>().toExtend<Open>();
  expectTypeOf<Unknown<RestApiEvent, APIGatewayProxyEvent>>().toBeNever();
  expectTypeOf<Unknown<RestApiEvent["requestContext"], Context>>().toEqualTypeOf<"deploymentId">();
  expect(event.requestContext.identity).not.toHaveProperty("apiKey");
});

test("what is always there is not optional, and what may be absent is", () => {
  expectTypeOf<AlbEvent["headers"]>().toEqualTypeOf<Record<string, string>>();
  expectTypeOf<AlbMultiValueEvent["multiValueHeaders"]>().toEqualTypeOf<Record<string, string[]>>();
  expectTypeOf<HttpApiEvent["requestContext"]["http"]["path"]>().toBeString();
  expectTypeOf<HttpApiEvent["body"]>().toEqualTypeOf<string | undefined>();
  expectTypeOf<HttpApiEvent["cookies"]>().toEqualTypeOf<string[] | undefined>();
  expectTypeOf<RestApiEvent["body"]>().toEqualTypeOf<string | null>();
  // @ts-expect-error: a single-value event has no multi-value map
  expect(alb.encode(request, target).multiValueHeaders).toBeUndefined();
});

test("every format is a Format", () => {
  const formats: Format[] = [restApi, httpApi, functionUrl, alb, albMultiValue];
  expect(formats.map(({ name }) => name)).toEqual(["rest-api", "http-api", "function-url", "alb", "alb-multi-value"]);
});
