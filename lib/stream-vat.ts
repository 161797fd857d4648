import { ByteStreamTransport } from "./transport/byte-stream.ts";
import { TwoWayPipe } from "./transport/two-way-pipe.ts";
import { isWebStreams } from "./transport/web-streams.ts";
import { overStreams, TwoPartyClient as Client, TwoPartyServer as Server } from "./two-party-vat.ts";

const carriers = { ByteStreamTransport, TwoWayPipe, isWebStreams };

/** The end that connected, over a stream or transport of yours; see `connect` for one by address. */
export const TwoPartyClient = /* @__PURE__ */ overStreams(Client, carriers);
// No alias: the declarations that TypeScript writes for code of users must be able to name it.
export interface TwoPartyClient extends Client {}

/** The end that was connected to: exposes `bootstrap` to the peer; see `listen` for a server of many. */
export const TwoPartyServer = /* @__PURE__ */ overStreams(Server, carriers);
export interface TwoPartyServer extends Server {}
