/**
 * What RFC 6265 says of cookies, case by case: `Set-Cookie` fields in, the `Cookie` header of the next request out.
 * https://www.rfc-editor.org/rfc/rfc6265
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { RestApiEvent } from "../src/formats/rest-api.ts";
import { Session } from "../src/session.ts";

interface Case {
  /** The host that sets the cookies, and is asked afterwards unless `next` says otherwise. */
  readonly host?: string;
  /** The path whose answer sets them. */
  readonly at?: string;
  readonly set: readonly string[];
  /** Where the next request goes: a path, or another host's URL. */
  readonly next?: string;
  /** Seconds that pass between the two. */
  readonly after?: number;
  /** Its Cookie header. */
  readonly sent: string | undefined;
  /** Why the library differs from the RFC. */
  readonly differs?: string;
}

const NOW = Date.UTC(2026, 5, 15, 12, 0, 0);
const NONE = undefined;

/** The Cookie header of a request that follows the case's own. */
async function cookieHeader({ host = "www.example.com", at = "/", set, next = at, after = 0 }: Case) {
  const events: RestApiEvent[] = [];
  const app = async (event: RestApiEvent) => {
    events.push(event);
    return { statusCode: 200, multiValueHeaders: events.length === 1 ? { "Set-Cookie": set } : {} };
  };
  const session = new Session({ functions: { app } });
  await session.get(`http+lambda://app${at}`, { headers: { Host: host } });
  vi.setSystemTime(Date.now() + after * 1000);
  const [to, path] = next.startsWith("/") ? [host, next] : [new URL(next).host, new URL(next).pathname];
  await session.get(`http+lambda://app${path}`, { headers: { Host: to } });
  expect(events).toHaveLength(2);
  return events[1]?.headers.Cookie;
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: NOW }));
afterEach(() => void vi.useRealTimers());

const expires = (date: string, sent: string | undefined): Case => ({ set: [`a=1; Expires=${date}`], sent });

const SECTIONS: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "5.1.1, dates": {
    "the form of RFC 1123, to come": expires("Fri, 01 Jan 2027 00:00:00 GMT", "a=1"),
    "the form of RFC 1123, over": expires("Thu, 01 Jan 2026 00:00:00 GMT", NONE),
    "the form of RFC 850": expires("Thursday, 01-Jan-26 00:00:00 GMT", NONE),
    "the form of asctime": expires("Thu Jan  1 00:00:00 2026", NONE),
    "the epoch": expires("Thu, 01 Jan 1970 00:00:00 GMT", NONE),
    "two digits of the year, 69, are 2069": expires("Tue, 01-Jan-69 00:00:00 GMT", "a=1"),
    "two digits of the year, 70, are 1970": expires("Thu, 01-Jan-70 00:00:00 GMT", NONE),
    "two digits of the year, 99, are 1999": expires("Fri, 01-Jan-99 00:00:00 GMT", NONE),
    "two digits of the year, 00, are 2000": expires("Sat, 01-Jan-00 00:00:00 GMT", NONE),
    "the weekday doesn't matter": expires("Blursday, 01 Jan 2026 00:00:00 GMT", NONE),
    "no weekday": expires("01 Jan 2026 00:00:00", NONE),
    "in any order": expires("00:00:00 2026 Jan 01", NONE),
    "the zone is not looked at: still to come in GMT": expires("Mon, 15 Jun 2026 13:00:00 +0200", "a=1"),
    "the zone is not looked at: over in GMT": expires("Mon, 15 Jun 2026 11:00:00 -0500", NONE),
    "months in any case, by their first three letters": expires("01 jANuary 2026 00:00:00", NONE),
    "delimiters of all kinds": expires("01/Jan/2026(00:00:00)", NONE),
    "one digit of hour, minute and second": expires("1 Jan 2026 0:0:0 GMT", NONE),
    "letters behind the year": expires("01 Jan 2026x 00:00:00", NONE),
    "letters behind the time": expires("01 Jan 2026 00:00:00xyz", NONE),
    "the first time counts": expires("01 Jan 2026 00:00:00 99:99:99", NONE),
    "the first year counts": expires("01 Jan 2026 2036 00:00:00", NONE),
    // What is no date is no attribute, and the cookie one of the session.
    "an hour of 24 is none": expires("01 Jan 2026 24:00:00 GMT", "a=1"),
    "a minute of 60 is none": expires("01 Jan 2026 00:60:00 GMT", "a=1"),
    "a second of 60 is none": expires("01 Jan 2026 00:00:60 GMT", "a=1"),
    "a day of 0 is none": expires("00 Jan 2026 00:00:00 GMT", "a=1"),
    "a day of 32 is none": expires("32 Jan 2026 00:00:00 GMT", "a=1"),
    "the 30th of February is none": expires("30 Feb 2026 00:00:00 GMT", "a=1"),
    "the 29th of February 2024 is one": expires("29 Feb 2024 00:00:00 GMT", NONE),
    "a year before 1601 is none": expires("01 Jan 1600 00:00:00 GMT", "a=1"),
    "the year 1601 is one": expires("01 Jan 1601 00:00:00 GMT", NONE),
    "a year of three digits is read as a number: 026 is 2026": expires("01 Jan 026 00:00:00 GMT", NONE),
    "a year of five digits is none": expires("01 Jan 20260 00:00:00 GMT", "a=1"),
    "no time": expires("01 Jan 2026", "a=1"),
    "no year": expires("01 Jan 00:00:00 GMT", "a=1"),
    "no month": expires("01 2026 00:00:00 GMT", "a=1"),
    "a month by number": expires("2026-01-01T00:00:00Z", "a=1"),
    "no date at all": expires("tomorrow", "a=1"),
    "no value": { set: ["a=1; Expires"], sent: "a=1" },
    "an empty value": { set: ["a=1; Expires="], sent: "a=1" },
    "a date in quotes": expires('"Thu, 01 Jan 2026 00:00:00 GMT"', NONE),
    reached: { set: ["a=1; Expires=Mon, 15 Jun 2026 12:00:30 GMT"], after: 30, sent: NONE },
    "about to be reached": { set: ["a=1; Expires=Mon, 15 Jun 2026 12:00:30 GMT"], after: 29, sent: "a=1" },
  },
  "5.1.2 and 5.1.3, hosts and domains": {
    "the same": { set: ["a=1; Domain=www.example.com"], sent: "a=1" },
    "a parent": { set: ["a=1; Domain=example.com"], sent: "a=1" },
    "a parent, with a dot before it": { set: ["a=1; Domain=.example.com"], sent: "a=1" },
    "a parent goes to all of its hosts": {
      set: ["a=1; Domain=example.com"],
      next: "https://api.example.com/",
      sent: "a=1",
    },
    "and to itself": { set: ["a=1; Domain=example.com"], next: "https://example.com/", sent: "a=1" },
    "and to hosts of hosts": { set: ["a=1; Domain=example.com"], next: "https://x.y.example.com/", sent: "a=1" },
    "but not to where it is only the end of a word": {
      set: ["a=1; Domain=example.com"],
      next: "https://badexample.com/",
      sent: NONE,
    },
    "and not to where it is the beginning": {
      set: ["a=1; Domain=example.com"],
      next: "https://example.com.evil.org/",
      sent: NONE,
    },
    "in any case": { set: ["a=1; Domain=EXAMPLE.Com"], next: "https://api.example.com/", sent: "a=1" },
    "a host in any case": { host: "WWW.Example.COM", set: ["a=1"], next: "https://www.example.com/", sent: "a=1" },
    "no port in a host": { host: "www.example.com:8443", set: ["a=1"], next: "https://www.example.com/", sent: "a=1" },
    "a host below is refused": { set: ["a=1; Domain=a.www.example.com"], sent: NONE },
    "a brother is refused": { set: ["a=1; Domain=api.example.com"], sent: NONE },
    "another is refused": { set: ["a=1; Domain=example.org"], sent: NONE },
    "a part of a label is refused": { set: ["a=1; Domain=ample.com"], sent: NONE },
    "a port in a domain is refused": { set: ["a=1; Domain=www.example.com:443"], sent: NONE },
    "an address is matched as a whole": { host: "127.0.0.1", set: ["a=1; Domain=127.0.0.1"], sent: "a=1" },
    "an address has no parent": { host: "127.0.0.1", set: ["a=1; Domain=0.0.1"], sent: NONE },
    "an address and its host only": { host: "127.0.0.1", set: ["a=1"], next: "https://127.0.0.2/", sent: NONE },
    "a name without a dot": { host: "app", set: ["a=1; Domain=app"], sent: "a=1" },
  },
  "5.1.4, paths": {
    "the default is the directory": { at: "/a/b", set: ["a=1"], next: "/a/c", sent: "a=1" },
    "the default of a directory is itself": { at: "/a/b/", set: ["a=1"], next: "/a/b/c", sent: "a=1" },
    "and not its parent": { at: "/a/b/", set: ["a=1"], next: "/a/c", sent: NONE },
    "the default of /a is /": { at: "/a", set: ["a=1"], next: "/", sent: "a=1" },
    "the default has no query": { at: "/a/b?/c/d", set: ["a=1"], next: "/a/", sent: "a=1" },
    "the same": { set: ["a=1; Path=/a"], next: "/a", sent: "a=1" },
    "below it": { set: ["a=1; Path=/a"], next: "/a/b/c", sent: "a=1" },
    "below it, with a slash": { set: ["a=1; Path=/a/"], next: "/a/b", sent: "a=1" },
    "with a slash it is not the one without": { set: ["a=1; Path=/a/"], next: "/a", sent: NONE },
    "the beginning of a segment is not enough": { set: ["a=1; Path=/a"], next: "/ab", sent: NONE },
    "above it": { set: ["a=1; Path=/a/b"], next: "/a", sent: NONE },
    "beside it": { set: ["a=1; Path=/a"], next: "/b", sent: NONE },
    "case matters": { set: ["a=1; Path=/A"], next: "/a", sent: NONE },
    "percent-encoding is not undone": { set: ["a=1; Path=/a b"], next: "/a%20b", sent: NONE },
    "percent-encoding is compared as it is": { set: ["a=1; Path=/a%20b"], next: "/a%20b", sent: "a=1" },
    "two slashes are two": { set: ["a=1; Path=//a"], next: "//a/b", sent: "a=1" },
    "it need not be that of the setter": { at: "/x/y", set: ["a=1; Path=/z"], next: "/z", sent: "a=1" },
  },
  "5.2, Set-Cookie": {
    "name and value": { set: ["a=1"], sent: "a=1" },
    "white space around both is taken off": { set: [" a \t=\t 1 ; Path=/"], sent: "a=1" },
    "white space within stays": { set: ["a=1 2"], sent: "a=1 2" },
    "the first = parts them": { set: ["a=b=c==; Path=/"], sent: "a=b=c==" },
    "quotes belong to the value": { set: ['a="1"'], sent: 'a="1"' },
    "quotes don't hold a semicolon": { set: ['a="1;2"'], sent: 'a="1' },
    "commas part nothing": { set: ["a=1,b=2"], sent: "a=1,b=2" },
    "an empty value": { set: ["a="], sent: "a=" },
    "no = is no cookie": { set: ["a"], sent: NONE },
    "no = before the semicolon is no cookie": { set: ["a; b=1"], sent: NONE },
    "no name is no cookie": { set: ["=1"], sent: NONE },
    "white space is no name": { set: [" =1"], sent: NONE },
    "nothing but a semicolon": { set: ["; a=1"], sent: NONE },
    nothing: { set: [""], sent: NONE },
    "odd names are names": { set: ["a@b:/[]=1"], sent: "a@b:/[]=1" },
    "names keep their case": { set: ["A=1", "a=2"], sent: "A=1; a=2" },
    "bytes above ASCII stay": { set: ["a=\u00fc\u00ff"], sent: "a=\u00fc\u00ff" },
    "percent-encoding stays": { set: ["a=%3B%20%3D"], sent: "a=%3B%20%3D" },
    "unknown attributes are passed over": { set: ["a=1; Colour=red; Max; =x"], sent: "a=1" },
    "empty attributes are passed over": { set: ["a=1;;; ;Path=/;"], sent: "a=1" },
    "attributes in any case": { set: ["a=1; mAX-aGE=0"], sent: NONE },
    "white space around attributes": { set: ["a=1;  Max-Age \t=\t 0  "], sent: NONE },
    "the other cookies of an answer with one that is none": { set: ["a", "b=2", "=3", "c=4"], sent: "b=2; c=4" },
  },
  "5.2.1 and 5.2.2, Expires and Max-Age": {
    "neither: until the session ends": { set: ["a=1"], after: 10 * 365 * 86_400, sent: "a=1" },
    "Max-Age before it is over": { set: ["a=1; Max-Age=60"], after: 59, sent: "a=1" },
    "Max-Age when it is over": { set: ["a=1; Max-Age=60"], after: 60, sent: NONE },
    "Max-Age of 0": { set: ["a=1; Max-Age=0"], sent: NONE },
    "Max-Age below 0": { set: ["a=1; Max-Age=-60"], sent: NONE },
    "Max-Age of many digits": { set: [`a=1; Max-Age=${"9".repeat(400)}`], after: 3600, sent: "a=1" },
    "Max-Age with leading zeros": { set: ["a=1; Max-Age=0060"], after: 60, sent: NONE },
    "Max-Age that is no number": { set: ["a=1; Max-Age=1h"], after: 86_400, sent: "a=1" },
    "Max-Age with a plus": { set: ["a=1; Max-Age=+0"], sent: "a=1" },
    "Max-Age with a fraction": { set: ["a=1; Max-Age=0.5"], sent: "a=1" },
    "Max-Age without a value": { set: ["a=1; Max-Age"], sent: "a=1" },
    "Max-Age in quotes": { set: ['a=1; Max-Age="0"'], sent: "a=1" },
    "Max-Age goes before Expires": { set: ["a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT; Max-Age=60"], sent: "a=1" },
    "whichever is first": { set: ["a=1; Max-Age=0; Expires=Fri, 01 Jan 2027 00:00:00 GMT"], sent: NONE },
    "the last Max-Age counts": { set: ["a=1; Max-Age=0; Max-Age=60"], sent: "a=1" },
    "the last Expires counts": {
      set: ["a=1; Expires=Fri, 01 Jan 2027 00:00:00 GMT; Expires=Thu, 01 Jan 2026 00:00:00 GMT"],
      sent: NONE,
    },
    "a wrong Expires does not undo a right one": {
      set: ["a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT; Expires=never"],
      sent: NONE,
    },
  },
  "5.2.3, Domain": {
    "none: the host alone": { set: ["a=1"], next: "https://a.www.example.com/", sent: NONE },
    "none: not its parent": { set: ["a=1"], next: "https://example.com/", sent: NONE },
    "with one, the hosts below too": {
      set: ["a=1; Domain=www.example.com"],
      next: "https://a.www.example.com/",
      sent: "a=1",
    },
    "an empty one is none": { set: ["a=1; Domain="], next: "https://a.www.example.com/", sent: NONE },
    "an empty one is none, and the cookie kept": { set: ["a=1; Domain="], sent: "a=1" },
    "without a value": { set: ["a=1; Domain"], sent: "a=1" },
    "white space around it": { set: ["a=1; Domain= example.com \t"], next: "https://api.example.com/", sent: "a=1" },
    "the last one counts": { set: ["a=1; Domain=example.org; Domain=example.com"], sent: "a=1" },
    "the last one counts, though it be wrong": { set: ["a=1; Domain=example.com; Domain=example.org"], sent: NONE },
  },
  "5.2.4, Path": {
    "none begins without a slash": { at: "/a/b", set: ["a=1; Path=c"], next: "/a/", sent: "a=1" },
    "an empty one is the default": { at: "/a/b", set: ["a=1; Path="], next: "/c", sent: NONE },
    "without a value, the default": { at: "/a/b", set: ["a=1; Path"], next: "/a/c", sent: "a=1" },
    "quotes are no slash": { at: "/a/b", set: ['a=1; Path="/"'], next: "/c", sent: NONE },
    "the last one counts": { set: ["a=1; Path=/x; Path=/y"], next: "/y", sent: "a=1" },
    "the last one counts, though it be none": { at: "/a/b", set: ["a=1; Path=/x; Path="], next: "/a/", sent: "a=1" },
    "white space around it": { set: ["a=1; Path= /x \t"], next: "/x", sent: "a=1" },
    "a query is a part of it, and never there": { set: ["a=1; Path=/x?y"], next: "/x?y", sent: NONE },
  },
  "5.2.5 and 5.2.6, Secure and HttpOnly": {
    "Secure: every function is one by https": { set: ["a=1; Secure"], sent: "a=1" },
    "Secure, whatever its value": { set: ["a=1; secure=no"], sent: "a=1" },
    HttpOnly: { set: ["a=1; HttpOnly"], sent: "a=1" },
    "HttpOnly, whatever its value": { set: ["a=1; HTTPONLY=x"], sent: "a=1" },
  },
  "5.3, what is kept": {
    "a later one of the same name, domain and path": { set: ["a=1", "a=2"], sent: "a=2" },
    "one of another path beside it": { set: ["a=1; Path=/", "a=2; Path=/x"], next: "/x", sent: "a=2; a=1" },
    "one of another domain beside it": { set: ["a=1", "a=2; Domain=example.com"], sent: "a=1; a=2" },
    "one of the same domain, with and without Domain, is one": {
      set: ["a=1; Domain=www.example.com", "a=2"],
      sent: "a=2",
    },
    "the default path and the same one written out are one": { at: "/x/y", set: ["a=1", "a=2; Path=/x"], sent: "a=2" },
    "an empty value in its place": { set: ["a=1", "a="], sent: "a=" },
    "one that is over removes it": { set: ["a=1", "a=; Max-Age=0"], sent: NONE },
    "and only it": { set: ["a=1", "b=2", "a=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], sent: "b=2" },
    "not one of another path": { set: ["a=1; Path=/", "a=; Max-Age=0; Path=/x"], next: "/x", sent: "a=1" },
    "not one of another domain": { set: ["a=1", "a=; Max-Age=0; Domain=example.com"], sent: "a=1" },
    "a new one does not inherit when the old one would have ended": {
      set: ["a=1; Max-Age=10", "a=2"],
      after: 60,
      sent: "a=2",
    },
    "nor its attributes": { set: ["a=1; Domain=example.com", "b=2"], next: "https://api.example.com/", sent: "a=1" },
    "one that is over may come back": { set: ["a=1; Max-Age=0", "a=2"], sent: "a=2" },
    "a value of 4000 letters": { set: [`a=${"x".repeat(4000)}`], sent: `a=${"x".repeat(4000)}` },
    "fifty of them": {
      set: Array.from({ length: 50 }, (_, index) => `c${index}=${index}`),
      sent: Array.from({ length: 50 }, (_, index) => `c${index}=${index}`).join("; "),
    },
  },
  "5.4, the Cookie header": {
    "as they were set": { set: ["b=1", "a=2", "c=3"], sent: "b=1; a=2; c=3" },
    "longer paths first": {
      set: ["a=1; Path=/", "b=2; Path=/x/y", "c=3; Path=/x"],
      next: "/x/y",
      sent: "b=2; c=3; a=1",
    },
    "longer paths first, whenever set": { set: ["a=1; Path=/x", "b=2; Path=/"], next: "/x", sent: "a=1; b=2" },
    "of paths as long, the earlier": {
      set: ["b=1; Path=/x", "a=2; Path=/x", "c=3; Path=/", "d=4; Path=/"],
      next: "/x",
      sent: "b=1; a=2; c=3; d=4",
    },
    "a changed one keeps its place": { set: ["a=1", "b=2", "a=3"], sent: "a=3; b=2" },
    "one that was removed loses it": {
      set: ["a=1", "b=2", "a=; Max-Age=0", "a=3"],
      sent: "b=2; a=3",
      differs: "tough-cookie keeps one that is over until somebody asks for it",
    },
    "no attributes": { set: ["a=1; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax; X=y"], sent: "a=1" },
    "none, no header": { set: [], sent: NONE },
    "SameSite does not hold one back": { set: ["a=1; SameSite=Strict", "b=2; SameSite=None"], sent: "a=1; b=2" },
  },
  "4.1.3 of draft-ietf-httpbis-rfc6265bis, prefixes of names": {
    "__Secure- with Secure": { set: ["__Secure-a=1; Secure"], sent: "__Secure-a=1" },
    "__Secure- without": { set: ["__Secure-a=1"], sent: NONE },
    "__Host- with Secure and the path /": { set: ["__Host-a=1; Secure; Path=/"], sent: "__Host-a=1" },
    "__Host- without Secure": { set: ["__Host-a=1; Path=/"], sent: NONE },
    "__Host- with another path": { set: ["__Host-a=1; Secure; Path=/x"], next: "/x", sent: NONE },
    "__Host- with a Domain": { set: ["__Host-a=1; Secure; Path=/; Domain=example.com"], sent: NONE },
  },
};

for (const [section, cases] of Object.entries(SECTIONS)) {
  describe(section, () => {
    for (const [name, one] of Object.entries(cases)) {
      const run = one.differs === undefined ? test : test.fails;
      run(one.differs === undefined ? name : `${name} (${one.differs})`, async () => {
        expect(await cookieHeader(one)).toBe(one.sent);
      });
    }
  });
}

test("Max-Age counts from when a cookie was set, however often it is sent meanwhile (5.2.2)", async () => {
  const sent: (string | undefined)[] = [];
  const app = async ({ headers }: RestApiEvent) => {
    sent.push(headers.Cookie);
    return { headers: sent.length === 1 ? { "Set-Cookie": "a=1; Max-Age=60" } : {} };
  };
  const session = new Session({ functions: { app } });
  for (let request = 0; request < 4; request++) {
    await session.get("http+lambda://app/");
    vi.setSystemTime(Date.now() + 25_000);
  }
  expect(sent).toEqual([undefined, "a=1", "a=1", undefined]);
});

test("of an answer over time: an earlier cookie stays earlier when it is set anew (5.3, 11.3)", async () => {
  const answers = ["a=1", "b=2", "a=3", undefined];
  const sent: (string | undefined)[] = [];
  const app = async ({ headers }: RestApiEvent) => {
    sent.push(headers.Cookie);
    return { headers: { "Set-Cookie": answers[sent.length - 1] } };
  };
  const session = new Session({ functions: { app } });
  for (const _ of answers) {
    await session.get("http+lambda://app/");
    vi.setSystemTime(Date.now() + 1000);
  }
  expect(sent).toEqual([undefined, "a=1", "a=1; b=2", "a=3; b=2"]);
});
