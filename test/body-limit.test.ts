/** A body that no event can hold is not read to its end. */
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { createFetch } from "../src/fetch.ts";
import { Session } from "../src/session.ts";

const MB = 1024 * 1024;
const ORDERS = "http+lambda://orders/upload";
const unused = { invoker: { invoke: () => expect.unreachable() } } as const;

/** 1 MB again and again; who asks and who ends it is noted. */
function endless(): { pieces: AsyncGenerator<Uint8Array>; seen: { given: number; ended: boolean } } {
  const seen = { given: 0, ended: false };
  async function* pieces(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        seen.given++;
        yield new Uint8Array(MB);
      }
    } finally {
      seen.ended = true;
    }
  }
  return { pieces: pieces(), seen };
}

describe.each<[what: string, make: (pieces: AsyncGenerator<Uint8Array>) => unknown]>([
  ["a generator", (pieces) => pieces],
  ["a web stream", (pieces) => Readable.toWeb(Readable.from(pieces))],
  ["a stream of Node's", (pieces) => Readable.from(pieces)],
])("an endless body, as %s", (_what, make) => {
  test.each([
    ["RequestResponse", 6],
    ["DryRun", 6],
    ["Event", 1],
  ] as const)("%s: is read up to %i MB and a little", async (invocationType, limit) => {
    const { pieces, seen } = endless();
    await using session = new Session(unused);
    const call = session.post(ORDERS, { data: make(pieces) as never, invocationType });
    await expect(call).rejects.toMatchObject({
      name: "PayloadTooLargeError",
      code: "ERR_PAYLOAD_TOO_LARGE",
      limit: limit * MB,
      request: { method: "POST", url: ORDERS },
      target: { functionName: "orders" },
      message: expect.stringMatching(
        `: the body has at least \\d+ bytes, Lambda takes an event of ${limit * MB}; the rest of it was not read. Nothing was sent$`,
      ),
    });
    await expect.poll(() => seen.ended).toBe(true);
    // A stream reads ahead of whoever reads it.
    expect(seen.given).toBeLessThanOrEqual(limit + 20);
  });
});

test("of a Request", async () => {
  const { pieces, seen } = endless();
  const body = Readable.toWeb(Readable.from(pieces)) as ReadableStream;
  const request = new Request(ORDERS, { method: "PUT", body, duplex: "half" } as RequestInit);
  await expect(createFetch(unused)(request)).rejects.toMatchObject({ name: "PayloadTooLargeError", limit: 6 * MB });
  await expect.poll(() => seen.ended).toBe(true);
});

test("a Blob and a form are not read whole either", async () => {
  await using session = new Session(unused);
  const blob = new Blob([new Uint8Array(9 * MB)]);
  const form = new FormData();
  form.append("file", blob);
  const tooLarge = { name: "PayloadTooLargeError", limit: 6 * MB };
  for (const data of [blob, form]) {
    await expect(session.post(ORDERS, { data })).rejects.toMatchObject(tooLarge);
    // The platform makes a stream of it, which must not be ended in the middle on every version of Node.
    await expect(session.fetch(new Request(ORDERS, { method: "POST", body: data }))).rejects.toMatchObject(tooLarge);
  }
  await new Promise((turn) => setImmediate(turn));
});

test("a stream that just fits is sent", async () => {
  let size = 0;
  await using session = new Session({
    invoker: {
      async invoke({ payload }) {
        size = payload.length;
        return { payload: Buffer.from('{"statusCode":204}') };
      },
    },
  });
  const data = Readable.from([Buffer.alloc(4 * MB, "a"), Buffer.alloc(MB, "b")]);
  expect((await session.post(ORDERS, { data, headers: { "Content-Type": "text/plain" } })).status).toBe(204);
  expect(size).toBeGreaterThan(5 * MB);
});

test("a stream that fails is no body", async () => {
  await using session = new Session(unused);
  const data = (async function* () {
    yield new Uint8Array(1);
    throw new Error("the disk is gone");
  })();
  await expect(session.post(ORDERS, { data })).rejects.toThrow("the disk is gone");
});
