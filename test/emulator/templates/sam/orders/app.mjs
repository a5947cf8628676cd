export const lambdaHandler = async (event) => ({ statusCode: 200, body: `orders ${event.path}` });
