/** A refusal of the Lambda API. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: Readonly<Record<string, string>>;

  /** @param body With `message` or `Message`, with `Type` or without: it differs from exception to exception. */
  constructor(status: number, name: string, body: Readonly<Record<string, string>>) {
    super(body.message ?? body.Message ?? name);
    this.name = name;
    this.status = status;
    this.body = body;
  }
}
