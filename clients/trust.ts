import type { ClientTlsOptions } from "capstan";
import { ensureCertificates } from "../certs/make.ts";

/**
 * What a client needs for an address: for `tls://` the development authority of the folder `certs`, which vouches for the server.
 *
 * @param identity Whether the client shows a certificate of its own, too: mutual TLS.
 */
export const trust = async (
  address: string,
  { identity = false }: { readonly identity?: boolean } = {},
): Promise<{ readonly tls?: ClientTlsOptions }> => {
  if (!address.startsWith("tls://")) return {};
  const { ca, clientCert, clientKey } = await ensureCertificates();
  return { tls: identity ? { ca, cert: clientCert, key: clientKey } : { ca } };
};
