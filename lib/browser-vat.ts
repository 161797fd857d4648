import { BehaviorSubject, Observable } from "rxjs";
import { useObservables } from "./lazy-rxjs.ts";
import { TwoPartyClient as Client, TwoPartyServer as Server } from "./stream-vat.ts";

/** Gives an end, which is the same class as before, the part of rxjs that it tells its state with: a bundler has to find it by an import. */
export const withObservables = <Vat>(vat: Vat): Vat => {
  useObservables({ BehaviorSubject, Observable });
  return vat;
};

/** The end that connected, over a transport or a pair of web streams of yours; see `connect` for one by address. */
export const TwoPartyClient = /* @__PURE__ */ withObservables(Client);
export type TwoPartyClient = Client;

/** The end that was connected to: exposes `bootstrap` to the peer. */
export const TwoPartyServer = /* @__PURE__ */ withObservables(Server);
export type TwoPartyServer = Server;
