import { Alpha } from "@lifeomic/alpha";

export function prepare(endpoint) {
  const alpha = new Alpha({ lambdaEndpoint: endpoint });
  return {
    get: async (name = "orders") => (await alpha.get(`lambda://${name}/items`, { params: { limit: "1" } })).data,
    post: async (name = "orders", json) => (await alpha.post(`lambda://${name}/items`, json)).data,
  };
}
