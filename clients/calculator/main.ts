import * as capnp from "capstan";
import { Calculator } from "../../servers/calculator/calculator.capnp.ts";
import { Report } from "../report.ts";
import { trust } from "../trust.ts";
import { calculate } from "./client.ts";

/** Connects to a calculator, does everything it can do, and prints it. Rejects on a wrong result. */
export const runCalculator = async (address: string): Promise<void> => {
  await using client = await capnp.connect(address, await trust(address));
  const { peer } = client;
  console.log(`connected to ${peer.address}${peer.encrypted ? " (TLS)" : ""}\n`);
  const report = new Report(() => client.stats().roundTrips);
  using calculator = client.bootstrap(Calculator);
  await calculate(calculator, report);
  const { sent, received, roundTrips } = client.stats();
  report.summary(`\nAll results are right: ${sent + received} messages, ${roundTrips} round trips.`);
};
