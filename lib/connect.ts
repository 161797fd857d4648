import { readConnectionLimits } from "./rpc/limits.ts";
import { type ConnectSocketOptions, connectSocket } from "./transport/connect-socket.ts";
import { TwoPartyClient, type VatOptions } from "./two-party-vat.ts";

export interface ConnectOptions extends VatOptions, Omit<ConnectSocketOptions, keyof VatOptions> {}

/**
 * Connects to a vat: `host:port`, `tcp://host:port`, `tls://host:port` or `unix:path`.
 *
 * Rejects with CAPNP_ADDRESS, CAPNP_CONNECT, CAPNP_TLS or CAPNP_CANCELED, and with CAPNP_TYPE or CAPNP_RANGE for a limit that is
 * none.
 */
export const connect = async (address: string, options: ConnectOptions = {}): Promise<TwoPartyClient> => {
  readConnectionLimits(options.limits);
  return new TwoPartyClient(await connectSocket(address, options), options);
};
