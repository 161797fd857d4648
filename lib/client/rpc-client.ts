import type { BehaviorSubject, Observable } from "rxjs";
import { holdBootstrap } from "../bootstrap-source.ts";
import { CapnpError } from "../errors.ts";
import { ended, observables } from "../lazy-rxjs.ts";
import { objectIdMessage } from "../restorer.ts";
import { Client } from "../rpc/capability/client.ts";
import { nullClient } from "../rpc/capability/broken-client.ts";
import type { ClientHook } from "../rpc/capability/client-hook.ts";
import { Connection, type ConnectionStats } from "../rpc/connection/connection.ts";
import type { ConnectionDump } from "../rpc/connection/inspect.ts";
import { AnyPointerReader, type PointerTypeArgument } from "../schema/any-pointer.ts";
import { clientOf, type InterfaceClient, type InterfaceType, requireHook } from "../schema/interface-client.ts";
import { unlimitedNesting } from "../serialization/read-limiter.ts";
import type { PeerInfo } from "../transport/transport.ts";
import { addStats } from "../server-stats.ts";
import type { ConnectionStatus } from "../two-party-vat.ts";
import { DeadlineClient } from "./deadline-client.ts";
import { RetryingClient, type RetryPolicy } from "./retrying-client.ts";
import type { Session } from "./session.ts";
import { Sessions, type SessionsOptions } from "./sessions.ts";
import { StableClient } from "./stable-client.ts";

/**
 * `connected`: a session stands; with `balance: "round-robin"`, at least one. `connecting`: there is none, and an attempt to connect
 * is under way. `disconnected`: neither; another attempt follows, unless this is an end. `closed`: for good.
 */
export type ClientStatus = "connecting" | ConnectionStatus;

/** @internal */
export interface RpcClientOptions extends SessionsOptions {
  /** Infinity where there is none. */
  readonly deadline: number;
  readonly retry: RetryPolicy | undefined;
  /** Where it will connect to, for people. */
  readonly address: string;
}

/**
 * A client that outlives its connections: `connect` with `reconnect`. It has what a `TwoPartyClient` has; capabilities that it
 * gives stay good when the connection is replaced, while those that calls return end with the connection that they came over.
 */
export class RpcClient {
  readonly #options: RpcClientOptions;
  readonly #sessions: Sessions;
  #states: BehaviorSubject<ClientStatus> | undefined;
  #status: ClientStatus = "disconnected";

  /** @internal Use `connect`. */
  constructor(options: RpcClientOptions) {
    this.#options = options;
    const release = holdBootstrap(options.vat.bootstrap);
    this.#sessions = new Sessions(options, (status) => this.#changed(status));
    void this.#sessions.closed.then(release);
  }

  #changed(status: ClientStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#states?.next(status);
    if (status === "closed") this.#states?.complete();
  }

  /** Resolves when the first session stands. @internal */
  static started(client: RpcClient, signal: AbortSignal | undefined): Promise<void> {
    return client.#sessions.first(signal);
  }

  /** The state now, and whenever it changes; completes after `closed`. */
  get state$(): Observable<ClientStatus> {
    const { BehaviorSubject, Observable } = observables();
    // A subject that has completed would tell nobody what it came to.
    if (this.#status === "closed") return ended(Observable, this.#status);
    this.#states ??= new BehaviorSubject<ClientStatus>(this.#status);
    return this.#states.asObservable();
  }

  /** The state now. */
  get state(): ClientStatus {
    return this.#status;
  }

  /** The connection that stands; undefined while there is none. With `balance: "round-robin"` it is any one of `sessions`. */
  get session(): Session | undefined {
    return this.#sessions.line.session;
  }

  /** The connections that calls go to: one at the most, or with `balance: "round-robin"` one for each server that can be reached. */
  get sessions(): readonly Session[] {
    return this.#sessions.line.sessions;
  }

  /** How many calls wait for a connection. */
  get waitingCalls(): number {
    return this.#sessions.line.length;
  }

  /** Resolves with the reason when the client is closed for good. It never rejects. */
  get closed(): Promise<CapnpError> {
    return this.#sessions.closed;
  }

  /** Why the client is closed; undefined while it is not. */
  get closedBy(): CapnpError | undefined {
    return this.#sessions.line.closedBy;
  }

  /** Who is at the other end of the latest connection. */
  get peer(): PeerInfo {
    return this.#sessions.latest?.peer ?? { address: this.#options.address, encrypted: false, authenticated: false };
  }

  /** Rows of the tables and messages so far of the connections that stand together, or of the last one. */
  stats(): ConnectionStats {
    const [first, ...others] = this.#known;
    if (first === undefined) return nothingYet();
    return others.length === 0 ? first.stats() : addStats([first, ...others].map((session) => session.stats()));
  }

  /** True where neither side asks, holds or owes the other anything, and no call waits. */
  get isIdle(): boolean {
    return this.waitingCalls === 0 && this.#known.every(({ isIdle }) => isIdle);
  }

  /** Ways in which the tables of the connections contradict each other: none, unless this library has a bug. For tests. */
  check(): string[] {
    return this.#known.flatMap((session) => session.check());
  }

  /** The sessions that stand, or the last one. */
  get #known(): readonly Session[] {
    const { sessions } = this;
    const { latest } = this.#sessions;
    return sessions.length > 0 || latest === undefined ? sessions : [latest];
  }

  /** The tables of the latest connection as plain objects, for people; undefined before the first one. See `sessions` for others. */
  dump(): ConnectionDump | undefined {
    return this.#sessions.latest?.dump();
  }

  /** The capability that the server exposes, as the given interface: good for as long as the client is open. */
  bootstrap(): InterfaceClient;
  bootstrap<C extends Client>(type: InterfaceType<C>): C;
  bootstrap(type?: InterfaceType<Client>): Client {
    return clientOf(
      type,
      this.#stable((session) => taken(session.bootstrap())),
    );
  }

  /** The capability that the server restores by an object id (see `TwoPartyClient.restore`): good for as long as the client is open. */
  restore<C extends Client>(objectId: unknown, as: InterfaceType<C>): C;
  restore(objectId: unknown, objectIdType?: PointerTypeArgument): InterfaceClient;
  restore<C extends Client>(objectId: unknown, objectIdType: PointerTypeArgument, as: InterfaceType<C>): C;
  restore(objectId: unknown, type?: PointerTypeArgument | InterfaceType<Client>, as?: InterfaceType<Client>): Client {
    return isInterface(type) ? this.#restored(objectId, undefined, type) : this.#restored(objectId, type, as);
  }

  /** The capability that the server exports under a name: `restore` with a text. */
  ezRestore(name: string): InterfaceClient;
  ezRestore<C extends Client>(name: string, as: InterfaceType<C>): C;
  ezRestore(name: string, as?: InterfaceType<Client>): Client {
    return this.#restored(name, "Text", as);
  }

  #restored(objectId: unknown, type: PointerTypeArgument | undefined, as: InterfaceType<Client> | undefined): Client {
    // As it is now: a builder may be changed before the next session.
    const message = objectIdMessage(objectId, type);
    const id = new AnyPointerReader(message.rootSegment, 0, unlimitedNesting);
    return clientOf(
      as,
      this.#stable((session) => taken(session.restore(id))),
    );
  }

  /**
   * Any other capability that is to stay good across reconnections: found anew in each session, for the first call there.
   *
   *     const nodes = client.stable((session) => session.bootstrap(Host).auth({ key }).nodes, Nodes);
   *
   * What `find` returns is taken over, and released with the session.
   */
  stable(find: (session: Session) => InterfaceClient): InterfaceClient;
  stable<C extends Client>(find: (session: Session) => Client | PromiseLike<Client>, type: InterfaceType<C>): C;
  stable(find: (session: Session) => Client | PromiseLike<Client>, type?: InterfaceType<Client>): Client {
    return clientOf(
      type,
      this.#stable((session) => {
        const found = find(session);
        return found instanceof Client ? taken(found) : requireHook(found);
      }),
    );
  }

  #stable(find: (session: Session) => ClientHook): ClientHook {
    const { deadline, retry, clock } = this.#options;
    let hook: ClientHook = new StableClient(this.#sessions.line, find);
    if (retry !== undefined) hook = new RetryingClient(hook, retry);
    return deadline === Number.POSITIVE_INFINITY ? hook : new DeadlineClient(hook, deadline, clock);
  }

  /** Ends the connection for good. Calls in flight and calls that wait fail with `disconnected`. */
  async close(): Promise<void> {
    await this.#sessions.close(new CapnpError("CAPNP_DISCONNECTED", "The client was closed on this side."));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The hook of a client that nobody else has. */
const taken = (client: Client): ClientHook => {
  const hook = Client.hook(client).addRef();
  Client.release(client);
  return hook;
};

const isInterface = (type: unknown): type is InterfaceType<Client> =>
  typeof type === "object" && type !== null && (type as Partial<InterfaceType<Client>>).schema?.which === "interface";

/** Those of a connection on which nothing has happened. */
const nothingYet = (): ConnectionStats =>
  new Connection(
    { send: () => undefined, queued: 0, largestQueued: 0 },
    { bootstrap: () => nullClient.addRef(), caller: undefined },
    () => undefined,
  ).stats();
