/** What waits to be asked for, against a plain list of what has happened. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createArrivals } from "../../src/invoke/arrivals.ts";

const lost = new Error("lost");
const DONE = { done: true, value: undefined };

describe("what is there already", () => {
  test("is given in its order, and then the end, again and again", async () => {
    const { add, end, next, isEmpty } = createArrivals<string>();
    add("a");
    add("b");
    end();
    expect(isEmpty()).toBe(false);
    expect([await next(), await next(), await next(), await next()]).toEqual([
      { done: false, value: "a" },
      { done: false, value: "b" },
      DONE,
      DONE,
    ]);
    expect(isEmpty()).toBe(true);
  });

  test("is given before what went wrong behind it", async () => {
    const { add, end, next } = createArrivals<string>();
    add("a");
    end({ error: lost });
    end();
    expect((await next()).value).toBe("a");
    await expect(next()).rejects.toBe(lost);
    await expect(next()).rejects.toBe(lost);
  });

  test("is given to nobody when that stops, be it behind an end", async () => {
    const { add, end, stop, next } = createArrivals<string>();
    add("a");
    end();
    stop({ error: lost });
    await expect(next()).rejects.toBe(lost);
    stop();
    expect(await next()).toEqual(DONE);
  });
});

describe("who asks first", () => {
  test("waits for it", async () => {
    const { add, next, isEmpty } = createArrivals<string>();
    const asked = next();
    add("a");
    expect(isEmpty()).toBe(true);
    expect((await asked).value).toBe("a");
  });

  test("is told of the end", async () => {
    const { end, next } = createArrivals<string>();
    const asked = next();
    end();
    expect(await asked).toEqual(DONE);
  });

  test("is told what went wrong, even if that is nothing", async () => {
    const { end, next } = createArrivals<string>();
    const asked = next();
    end({ error: undefined });
    await expect(asked).rejects.toBe(undefined);
  });
});

test("for all turns of coming and asking: everything in its order, and nothing twice", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 60 }), async (turns) => {
      const { add, end, next } = createArrivals<number>();
      let added = 0;
      const asked: Promise<IteratorResult<number, undefined>>[] = [];
      for (const isAdded of turns) {
        if (isAdded) add(added++);
        // Only when the one before is settled, as those ask who use it.
        else if (asked.length <= added) asked.push(next());
      }
      end();
      const given = await Promise.all(asked);
      const expected = asked.map((_, index) => (index < added ? { done: false, value: index } : DONE));
      expect(given).toEqual(expected);
    }),
  );
});
