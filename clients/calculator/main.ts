import * as capnp from "capstan";
import { ensureCertificates } from "../../certs/make.ts";
import { Calculator } from "../../servers/calculator/calculator.capnp.ts";
import { Report } from "../report.ts";
import { calculate } from "./client.ts";

/** Connects to a calculator, does everything it can do, and prints it. Rejects on a wrong result. */
export const runCalculator = async (address: string): Promise<void> => {
  // A tls:// server is trusted if the development authority of the folder `certs` vouches for it.
  const tls = address.startsWith("tls://") ? { ca: (await ensureCertificates()).ca } : undefined;
  await using client = await capnp.connect(address, tls === undefined ? {} : { tls });
  const { peer } = client;
  console.log(`connected to ${peer.address}${peer.encrypted ? " (TLS)" : ""}\n`);
  const report = new Report(() => client.stats().roundTrips);
  using calculator = client.bootstrap(Calculator);
  await calculate(calculator, report);
  const { sent, received, roundTrips } = client.stats();
  report.summary(`\nAll results are right: ${sent + received} messages, ${roundTrips} round trips.`);
};
