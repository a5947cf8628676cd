// On Node: its types, AWS's types, and no DOM.
import type { ALBHandler, APIGatewayProxyHandler, APIGatewayProxyHandlerV2, Context } from "aws-lambda";
import { type Handler, type HandlerContext, Session } from "lambda-requests";
import { Emulator, type EmulatorOptions } from "lambda-requests/emulator";

declare const rest: APIGatewayProxyHandler;
declare const http: APIGatewayProxyHandlerV2;
declare const alb: ALBHandler;
declare const context: HandlerContext;

export const options: EmulatorOptions = { functions: { rest, http, alb, file: "./orders.mjs#handler" }, port: 0 };
export const handlers: Handler[] = [rest, http, alb];
export const asAws: Context = context;

export async function use(): Promise<number> {
  await using emulator = await Emulator.start(options);
  await using session = new Session({ endpoint: emulator.endpoint, region: "us-east-1" });
  return (await session.get("http+lambda://rest/")).status;
}
