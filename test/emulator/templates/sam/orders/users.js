export const list = async () => ({ statusCode: 200, body: "users" });
