/** Places for connections, overall and for each host: what several listening sockets of one server share. */
export class ConnectionPlaces {
  readonly #most: number;
  readonly #mostPerHost: number;
  #taken = 0;
  /** A Map, since its keys are chosen by peers. */
  readonly #takenPerHost = new Map<string, number>();

  constructor(most: number, mostPerHost: number) {
    this.#most = most;
    this.#mostPerHost = mostPerHost;
  }

  /** Takes a place for a host, or says why there is none. Undefined stands for the peers of a Unix socket, which have no host. */
  take(host: string | undefined): string | undefined {
    if (this.#taken >= this.#most) return `${this.#taken} connections are open, which is maxConnections`;
    if (host !== undefined) {
      const taken = this.#takenPerHost.get(host) ?? 0;
      if (taken >= this.#mostPerHost) return `${host} has ${taken} connections open, which is maxConnectionsPerAddress`;
      this.#takenPerHost.set(host, taken + 1);
    }
    this.#taken++;
    return undefined;
  }

  /** Gives a place back that was taken. */
  leave(host: string | undefined): void {
    this.#taken--;
    if (host === undefined) return;
    const left = this.#takenPerHost.get(host)! - 1;
    if (left === 0) this.#takenPerHost.delete(host);
    else this.#takenPerHost.set(host, left);
  }
}
