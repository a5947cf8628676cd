/** Bodies that are read while they come: as server-sent events, or as a line of JSON after another. */
import type { EventSourceMessage } from "eventsource-parser";

/** One event of a `text/event-stream`: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export interface ServerSentEvent {
  /** Its lines, joined by newlines. */
  readonly data: string;
  /** Its type; absent where the stream names none, which a browser takes for `message`. */
  readonly event?: string;
  readonly id?: string;
}

type Body = ReadableStream<Uint8Array>;

const MAX_FEED = 4 * 1024;

/** An event that the end of the stream cuts off is dropped, as the standard has it. */
export async function* readEvents(body: Body): AsyncGenerator<ServerSentEvent, void, undefined> {
  // Loaded here because few bodies are event streams.
  const { createParser } = await import("eventsource-parser");
  let events: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => void events.push(event) });
  for await (const text of readText(body)) {
    // In slices: at each of its lines, the parser may look for the next carriage return through all that it has.
    for (let start = 0; start < text.length; start += MAX_FEED) {
      parser.feed(text.slice(start, start + MAX_FEED));
      const complete = events;
      events = [];
      for (const { data, event, id } of complete) {
        yield { data, ...(event !== undefined && { event }), ...(id !== undefined && { id }) };
      }
    }
  }
}

/**
 * Lines that are empty are left out.
 *
 * @throws {SyntaxError} for a line that is no JSON; it says which.
 */
export async function* readJsonLines<Value>(body: Body): AsyncGenerator<Value, void, undefined> {
  let number = 0;
  for await (const line of readLines(body)) {
    number++;
    if (line.trim() === "") continue;
    try {
      yield JSON.parse(line) as Value;
    } catch (cause) {
      throw new SyntaxError(`line ${number} of the body is no JSON: ${(cause as Error).message}`, { cause });
    }
  }
}

async function* readLines(body: Body): AsyncGenerator<string, void, undefined> {
  let rest = "";
  for await (const text of readText(body)) {
    const lines = text.split("\n");
    lines[0] = rest + lines[0];
    rest = lines.pop() ?? "";
    yield* lines;
  }
  yield rest;
}

/** Text as it comes; a character that two pieces share comes with the second. To stop early cancels the body. */
async function* readText(body: Body): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  for await (const piece of body) yield decoder.decode(piece, { stream: true });
  yield decoder.decode();
}
