import { BehaviorSubject, of } from "rxjs";
import { useObservables } from "./lazy-rxjs.ts";
import { TwoPartyClient as Client, TwoPartyServer as Server } from "./two-party-vat.ts";

// Stands with classes of its own, so that no bundler takes this module for one that does nothing.
useObservables({ BehaviorSubject, of });

/** The end that connected, over a transport or a pair of web streams of yours; see `connect` for one by address. */
export class TwoPartyClient extends Client {}

/** The end that was connected to: exposes `bootstrap` to the peer. */
export class TwoPartyServer extends Server {}
