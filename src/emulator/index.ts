/**
 * `lambda-requests/emulator`: a local Lambda API over your handlers.
 *
 * Importing it defines the global `awslambda` (where there is none), as Lambda's Node.js runtime does: a module that
 * calls `awslambda.streamifyResponse` when it is loaded has to be imported after this one.
 *
 * @packageDocumentation
 */
import { defineAwslambda } from "../invoke/awslambda.ts";

defineAwslambda();

export type { FunctionDefinition, VersionDefinition } from "./definition.ts";
export { Emulator, type EmulatorOptions } from "./emulator.ts";
export type { Faults } from "./faults.ts";
export type { FunctionTable } from "./functions.ts";
export type { RecordedInvocation } from "./recorder.ts";
