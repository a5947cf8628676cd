export const handler = async (event) => ({
  statusCode: 200,
  body: JSON.stringify({ path: event.path, stage: process.env.STAGE, table: process.env.TABLE }),
});
