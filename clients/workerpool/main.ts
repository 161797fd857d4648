import * as capnp from "capstan";
import { Pool } from "../../servers/workerpool/workerpool.capnp.ts";
import { trust } from "../trust.ts";
import { countPrimes, paint } from "./client.ts";

/** Has the pool count and paint. */
export const runWorkerPool = async (address: string): Promise<void> => {
  await using client = await capnp.connect(address, await trust(address));
  using pool = client.bootstrap(Pool);
  const { threads } = await pool.status();
  console.log(`${threads.length} threads: ${threads.map(({ name }) => name).join(", ")}`);
  const pieces = threads.length * 4;
  console.log(`primes below 1000000: ${await countPrimes(pool, 1_000_000, pieces)}`);
  for (const line of await paint(pool, { columns: 78, rows: 24, bands: pieces })) console.log(line);
};
