/** Who the caller is to the app behind the function; AWS's own signature is another matter. */

/** A request as an `auth` function or a hook sees it. What it changes is what is sent. */
export interface PreparedRequest {
  /** In upper case, as a Session's methods send it. */
  method: string;
  /** Canonical, with its params, without user and password. */
  url: string;
  /** With the session's, and those of `auth`. */
  headers: Headers;
  /** Text, bytes, a form or a stream: what `fetch` takes. */
  body: unknown;
}

/**
 * `[user, password]` for Basic authorization, or a function that puts into the request what the app wants.
 *
 * @example
 * new Session({ auth: ["ada", "secret"] });
 * new Session({ auth: (request) => request.headers.set("X-Api-Key", key) });
 */
export type Auth = readonly [user: string, password: string] | ((request: PreparedRequest) => void | Promise<void>);

/** @throws {TypeError} when it is neither. What it is may be a secret, and is not shown. */
export function checkAuth(auth: Auth): Auth {
  const isPair = Array.isArray(auth) && auth.length === 2 && auth.every((part) => typeof part === "string");
  if (isPair || typeof auth === "function") return auth;
  throw new TypeError("auth has to be [user, password] or a function");
}

export async function applyAuth(auth: Auth, request: PreparedRequest): Promise<void> {
  if (typeof auth === "function") await auth(request);
  else request.headers.set("Authorization", basicAuthorization(...auth));
}

/** RFC 7617, in UTF-8. */
export function basicAuthorization(user: string, password: string): string {
  if (user.includes(":")) throw new TypeError("a user name for Basic authorization can't hold a colon");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 7617 forbids them
  if (/[\u0000-\u001f\u007f]/.test(user + password)) {
    throw new TypeError("user and password for Basic authorization can't hold a control character");
  }
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}
