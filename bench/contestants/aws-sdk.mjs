export const name = "@aws-sdk/client-lambda";

export async function prepare(endpoint) {
  const { InvokeCommand, LambdaClient } = await import("@aws-sdk/client-lambda");
  const client = new LambdaClient({ endpoint, region: "us-east-1" });
  const Payload = JSON.stringify({ httpMethod: "GET", path: "/items", queryStringParameters: { limit: "1" } });
  return async () => {
    const { Payload: result } = await client.send(new InvokeCommand({ FunctionName: "orders", Payload }));
    return JSON.parse(JSON.parse(Buffer.from(result).toString()).body).items[0].sku;
  };
}
