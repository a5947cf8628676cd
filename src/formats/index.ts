/**
 * `lambda-requests/formats`: the payload formats by themselves, to build events for tests and replay, and to read results.
 *
 * @packageDocumentation
 */
export { type AlbEvent, type AlbMultiValueEvent, alb, albMultiValue } from "./alb.ts";
export { type EventRequest, type Format, type HeaderList, InvalidResultError, type ResponseParts } from "./format.ts";
export type { PayloadFormat } from "./formats.ts";
export { type FunctionUrlEvent, functionUrl } from "./function-url.ts";
export { type HttpApiEvent, httpApi } from "./http-api.ts";
export type { PayloadV2Event } from "./payload-v2.ts";
export { type RestApiEvent, restApi } from "./rest-api.ts";
export type { MultiValues, SingleValues } from "./values.ts";
