import type { ConnectionStats } from "./rpc/connection/connection.ts";

/** What a server holds now, and what has passed since it began to listen; the connections that are over are in the counters. */
export interface ServerStats extends ConnectionStats {
  /** Connections that stand now. */
  readonly connections: number;
  /** Connections that were made so far: TCP and TLS stood, and `authorize` agreed. */
  readonly accepted: number;
  /** Connections that were refused so far: for a limit on their number, or by `authorize`. */
  readonly refused: number;
  /** Connections that failed so far before they stood: handshakes that did not end, certificates that were not accepted. */
  readonly handshakeFailures: number;
  /** Connections that were ended so far because the peer broke the protocol or a limit. */
  readonly broken: number;
}

/** Gauges: what is now. Everything else only grows. */
const gauges = new Set<keyof ServerStats>([
  "connections",
  "questions",
  "answers",
  "running",
  "exports",
  "imports",
  "embargoes",
  "calls",
  "paramBytes",
  "resultBytes",
  "queuedBytes",
]);

const zero: ConnectionStats = {
  questions: 0,
  answers: 0,
  running: 0,
  exports: 0,
  imports: 0,
  embargoes: 0,
  sent: 0,
  received: 0,
  roundTrips: 0,
  calls: 0,
  paramBytes: 0,
  resultBytes: 0,
  overloaded: 0,
  canceled: 0,
  served: 0,
  outcomes: { ok: 0, failed: 0, overloaded: 0, disconnected: 0, unimplemented: 0, canceled: 0 },
  queuedBytes: 0,
};

/** What several connections have come to together. */
export const addStats = (all: Iterable<ConnectionStats>): ConnectionStats => {
  const sum = { ...zero, outcomes: { ...zero.outcomes } };
  for (const one of all) {
    for (const name of Object.keys(zero) as (keyof ConnectionStats)[]) {
      if (name !== "outcomes") sum[name] += one[name];
    }
    for (const name of Object.keys(zero.outcomes) as (keyof typeof zero.outcomes)[]) {
      sum.outcomes[name] += one.outcomes[name];
    }
  }
  return sum;
};

/** A connection that is over: its counters stay, and it holds nothing any more. */
export const countersOf = (stats: ConnectionStats): ConnectionStats => {
  const counters = { ...stats };
  for (const name of gauges) if (name in counters) (counters as Record<string, unknown>)[name] = 0;
  return counters;
};

const metrics: readonly (readonly [keyof ServerStats, string, string])[] = [
  ["connections", "capnp_rpc_connections", "Connections that stand."],
  ["accepted", "capnp_rpc_connections_accepted_total", "Connections that were made."],
  ["refused", "capnp_rpc_connections_refused_total", "Connections refused for a limit or by authorize."],
  ["handshakeFailures", "capnp_rpc_handshake_failures_total", "Connections that failed before they stood."],
  ["broken", "capnp_rpc_connections_broken_total", "Connections ended for a breach of the protocol or of a limit."],
  ["served", "capnp_rpc_server_started_total", "Calls of peers."],
  ["running", "capnp_rpc_server_running", "Calls of peers that have not been answered."],
  ["overloaded", "capnp_rpc_limit_hits_total", "Calls that were refused for a limit."],
  ["questions", "capnp_rpc_questions", "Calls to peers that wait for their results."],
  ["answers", "capnp_rpc_answers", "Calls of peers that are running or kept."],
  ["exports", "capnp_rpc_exports", "Capabilities that peers hold."],
  ["imports", "capnp_rpc_imports", "Capabilities of peers that are held."],
  ["embargoes", "capnp_rpc_embargoes", "Capabilities whose calls wait for older ones to arrive."],
  ["queuedBytes", "capnp_rpc_outbound_queue_bytes", "Bytes that the network has not taken yet."],
  ["sent", "capnp_rpc_messages_sent_total", "Messages sent."],
  ["received", "capnp_rpc_messages_received_total", "Messages received."],
];

/**
 * The figures of a server in the text format that Prometheus reads, under names that begin with `capnp_rpc_`: the answer to
 * `GET /metrics`.
 */
export const metricsText = (stats: ServerStats): string => {
  const lines: string[] = [];
  for (const [name, metric, help] of metrics) {
    lines.push(`# HELP ${metric} ${help}`, `# TYPE ${metric} ${gauges.has(name) ? "gauge" : "counter"}`);
    lines.push(`${metric} ${stats[name]}`);
  }
  const handled = "capnp_rpc_server_handled_total";
  lines.push(`# HELP ${handled} Calls of peers that are over, by how they ended.`, `# TYPE ${handled} counter`);
  for (const [outcome, count] of Object.entries(stats.outcomes)) {
    lines.push(`${handled}{status="${outcome}"} ${count}`);
  }
  return `${lines.join("\n")}\n`;
};
