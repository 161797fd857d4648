import { ensureCertificates } from "../../dist/certs/make.js";
import { connectTo, serveAt } from "./peer-capstan.js";

export const serve = async () => {
  const { key, cert } = await ensureCertificates();
  return serveAt("127.0.0.1:0", { tls: { key, cert } });
};

export const connect = async (port) => {
  const { ca } = await ensureCertificates();
  return connectTo(`tls://127.0.0.1:${port}`, { tls: { ca } });
};
