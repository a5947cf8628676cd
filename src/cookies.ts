/** Cookies: one jar a function, and one for the web (RFC 6265, by tough-cookie). A function is an origin. */
import type { Cookie, CookieJar } from "tough-cookie";
import { type CookieAddress, WEB_JAR } from "./cookie-header.ts";
import { ConfigurationError } from "./errors.ts";
import { checkHeader } from "./formats/headers.ts";

/** The last one that there is: https://tc39.es/ecma262/#sec-time-values-and-time-range */
const MAX_DATE = 8.64e15;

/** What {@link SessionCookies.export} gives: JSON. It holds the cookies' values, so keep it as you would a password. */
export interface SavedCookies {
  readonly version: 1;
  /** A jar for each function that has set a cookie, as tough-cookie writes it. */
  readonly jars: Readonly<Record<string, object>>;
}

/**
 * The cookies that a session has been given by functions and web pages. Each function has a jar of its own, whatever the
 * `Domain` of its cookies says; its versions and aliases share it.
 *
 * @example
 * await session.post("http+lambda://orders/login", { data: { user: "ada", password } });
 * await session.cookies.get("http+lambda://orders/"); // { session: "5e2f…" }
 * const saved = JSON.stringify(await session.cookies.export());
 * await session.cookies.import(JSON.parse(saved));
 */
export class SessionCookies {
  readonly #jars = new Map<string, CookieJar>();
  readonly #addressOf: (url: string | URL) => Promise<CookieAddress>;

  /** Made by a Session, which knows which function a URL names. */
  constructor(addressOf: (url: string | URL) => Promise<CookieAddress>) {
    this.#addressOf = addressOf;
  }

  /**
   * What would be sent to a URL, by name.
   *
   * @throws {InvalidTargetError} when the URL names no valid function.
   */
  async get(url: string | URL): Promise<Record<string, string>> {
    const cookies = this.#find(await this.#addressOf(url));
    // Of two of one name, that of the longer path is sent first.
    return Object.fromEntries(cookies.map(({ key, value }) => [key, value] as const).reverse());
  }

  /**
   * Keeps a cookie as if the URL had set it.
   *
   * @param setCookie As in a `Set-Cookie` header: `theme=dark; Path=/`.
   * @throws {TypeError} when it is no cookie that the URL could set.
   */
  async set(url: string | URL, setCookie: string): Promise<void> {
    const { jar, url: at } = await this.#addressOf(url);
    try {
      settle((await this.#jarFor(jar)).setCookieSync(checkHeader("Set-Cookie", setCookie), rawUrl(at)));
    } catch (error) {
      // Not the cookie, whose value may be a secret; tough-cookie's own message quotes domains alone.
      throw new TypeError(`this is no cookie that ${new URL(at).host} can set: ${(error as Error).message}`);
    }
  }

  /** Forgets all of them. */
  clear(): void {
    this.#jars.clear();
  }

  /** All of them, with those that end with the session. */
  async export(): Promise<SavedCookies> {
    const jars = [...this.#jars].map(([name, jar]): [string, object] => [name, jar.serializeSync() ?? {}]);
    return { version: 1, jars: Object.fromEntries(jars) };
  }

  /**
   * Adds what {@link export} gave, in this session or another; a cookie of the same name, domain and path is replaced.
   *
   * @throws {ConfigurationError} when it is something else.
   */
  async import(saved: SavedCookies): Promise<void> {
    if (saved?.version !== 1 || typeof saved.jars !== "object" || saved.jars === null) throw notSaved();
    const { Cookie } = await import("tough-cookie");
    const read = Object.entries(saved.jars).map(([name, jar]): [string, Cookie[]] => {
      const { cookies } = Object(jar) as { cookies?: unknown };
      if (!Array.isArray(cookies)) throw notSaved();
      return [name, cookies.map((one) => checkSaved(Cookie.fromJSON(one)))];
    });
    for (const [name, cookies] of read) {
      const { store } = await this.#jarFor(name);
      for (const cookie of cookies) await store.putCookie(cookie);
    }
  }

  /** @internal */
  get isEmpty(): boolean {
    return this.#jars.size === 0;
  }

  /** @internal */
  cookiesFor(address: CookieAddress): readonly string[] {
    return this.#find(address).map((cookie) => cookie.cookieString());
  }

  /** @internal */
  async keep({ jar, url }: CookieAddress, setCookie: readonly string[]): Promise<void> {
    const into = await this.#jarFor(jar);
    // What is no cookie, or one for another host, is passed over, as a browser does.
    for (const cookie of setCookie) settle(into.setCookieSync(cookie, rawUrl(url), { ignoreError: true }));
  }

  #find({ jar, url }: CookieAddress): readonly Cookie[] {
    return this.#jars.get(jar)?.getCookiesSync(rawUrl(url)) ?? [];
  }

  async #jarFor(name: string): Promise<CookieJar> {
    let jar = this.#jars.get(name);
    if (jar === undefined) {
      // Loaded here because it takes 34 ms, and most sessions are sent no cookie.
      const { CookieJar, MemoryCookieStore } = await import("tough-cookie");
      const store = new MemoryCookieStore();
      // The jar looks at domain and path by itself; the store's own way throws for hosts named test, local and example.
      store.findCookies = ((...given: unknown[]) => store.getAllCookies(given.at(-1) as never)) as never;
      // The name of a function is no domain that others could share.
      const options = { rejectPublicSuffixes: name === WEB_JAR, prefixSecurity: "strict" } as const;
      // Two answers may bring their first cookies at once.
      jar = this.#jars.get(name) ?? new CookieJar(store, options);
      this.#jars.set(name, jar);
    }
    return jar;
  }
}

/** With a path that tough-cookie gets back when it decodes it: RFC 6265, 5.1.4, compares it as it is. */
function rawUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname.replaceAll("%", "%25");
}

/** Max-Age counts from when a cookie was set (RFC 6265, 5.2.2), where tough-cookie counts from its last use. */
function settle(cookie: Cookie | undefined): void {
  if (cookie === undefined || cookie.maxAge === null) return;
  cookie.expires = new Date(Math.min(Math.max(cookie.expiryTime() ?? 0, 0), MAX_DATE));
  cookie.maxAge = null;
}

function checkSaved(cookie: Cookie | undefined): Cookie {
  if (!cookie?.key || !cookie.domain || !cookie.path) throw notSaved();
  const dates = [cookie.expires, cookie.creation, cookie.lastAccessed];
  if (dates.some((date) => date instanceof Date && Number.isNaN(date.getTime()))) throw notSaved();
  return cookie;
}

function notSaved(): ConfigurationError {
  return new ConfigurationError("these are no cookies that a session exported");
}
