import { ensureCertificates } from "../../certs/make.ts";
import { followThread } from "./client.ts";

/** Three long calls, with the news that come in the meantime. */
export const runThread = async (address: string): Promise<void> => {
  const tls = address.startsWith("tls://") ? { ca: (await ensureCertificates()).ca } : undefined;
  await followThread(address, tls === undefined ? {} : { tls }, 3, (line) => console.log(line));
};
