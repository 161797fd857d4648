import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const path = fileURLToPath(new URL("bench.proto", import.meta.url));
const { Bench } = grpc.loadPackageDefinition(loadSync(path));

export const serve = () =>
  new Promise((resolve, reject) => {
    const server = new grpc.Server();
    server.addService(Bench.service, {
      Add: ({ request: { a, b } }, reply) => reply(null, { sum: (a + b) | 0 }),
      Echo: ({ request: { data } }, reply) => reply(null, { data }),
    });
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });

export const connect = async (port) => {
  const client = new Bench(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const call = (method, request) =>
    new Promise((resolve, reject) => {
      client[method](request, (error, reply) => (error === null ? resolve(reply) : reject(error)));
    });
  return {
    add: async (a, b) => (await call("Add", { a, b })).sum,
    echo: async (data) => (await call("Echo", { data })).data,
  };
};
