export const check = async () => ({ statusCode: 204 });
