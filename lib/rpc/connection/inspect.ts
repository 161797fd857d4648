import { type ClientHook, innermost } from "../capability/client-hook.ts";
import type { ConnectionState } from "./connection-state.ts";
import { isPipelineId } from "./ids.ts";

/** The tables of a connection, for people. */
export interface ConnectionDump {
  /** Why the connection is over; undefined while it stands. */
  readonly closedBy: string | undefined;
  /** Calls and bootstraps of ours. */
  readonly questions: readonly {
    readonly id: number;
    readonly status: string;
    readonly resultsFor: string;
    /** Places in the results that something here stands for. */
    readonly pipelined: number;
  }[];
  /** Calls and bootstraps of the peer's. */
  readonly answers: readonly { readonly id: number; readonly status: string; readonly finished: boolean }[];
  /** What we host or promise, and how often the peer was told. */
  readonly exports: readonly { readonly id: number; readonly references: number; readonly what: string }[];
  /** What the peer hosts or promises, and how often it told us. */
  readonly imports: readonly { readonly id: number; readonly received: number; readonly promised: string }[];
  /** What waits for older calls to come back. */
  readonly embargoes: readonly { readonly id: number; readonly of: string }[];
}

const describeHook = (hook: ClientHook): string => {
  const inner = innermost(hook);
  if (inner.isNull) return "null";
  if (inner.brokenBy !== undefined) return `broken: ${inner.brokenBy.message}`;
  if (inner.isPromise) return inner.connection === null ? "a promise" : "a promise of a peer's";
  return inner.connection === null ? "an object" : "a capability of a peer's";
};

/** The tables as plain objects. */
export const dump = (state: ConnectionState): ConnectionDump => ({
  closedBy: state.closedBy?.message,
  questions: [...state.questions.values(), ...state.pipelineQuestions.values()].map((question) => ({
    id: question.id,
    status: question.status,
    resultsFor: question.resultsFor,
    pipelined: question.pipelineClients,
  })),
  answers: [...state.answers.values()].map(({ id, status, isFinished }) => ({ id, status, finished: isFinished })),
  exports: state.exports.values().map(({ id, references, hook }) => ({ id, references, what: describeHook(hook) })),
  imports: [...state.imports].map(([id, { received, promised }]) => ({ id, received, promised })),
  embargoes: state.embargoes.values().map(({ id, replacement }) => ({ id, of: describeHook(replacement) })),
});

/** Every way in which the tables contradict themselves or each other; none, where the protocol was implemented without a mistake. */
export const check = (state: ConnectionState): string[] => [
  ...checkQuestions(state),
  ...checkAnswers(state),
  ...checkExports(state),
  ...checkImports(state),
  ...checkEmbargoes(state),
  ...checkClosed(state),
];

function* checkQuestions({ questions, pipelineQuestions }: ConnectionState): Generator<string> {
  yield* questions.check("questions");
  for (const question of questions.values()) {
    const { id, status, isOpen, resultsFor } = question;
    if (questions.get(id) !== question) yield `question ${id} is not where its id says`;
    if (isPipelineId(id)) yield `question ${id} has the id of one that is for its pipeline only`;
    if (status === "canceled" ? isOpen : !isOpen) {
      yield `question ${id} is ${status} and ${isOpen ? "Finish was not sent" : "its Finish was sent, but its row is still here"}`;
    }
    if (status === "returned" && resultsFor !== "callee" && question.pipelineClients === 0) {
      yield `question ${id} has returned, nothing is pipelined on it, and Finish was not sent`;
    }
    if (status === "dropped" && question.pipelineClients === 0) yield `question ${id} was dropped and not finished`;
  }
  for (const [id, question] of pipelineQuestions) {
    if (question.id !== id || !isPipelineId(id))
      yield `question ${question.id} is kept as ${id}, for its pipeline only`;
    if (!question.isOpen) yield `question ${id}, for its pipeline only, was finished and is still here`;
  }
}

function* checkAnswers({ answers }: ConnectionState): Generator<string> {
  for (const [id, answer] of answers) {
    if (answer.id !== id) yield `answer ${answer.id} is kept as ${id}`;
    if (answer.isFinished) yield `answer ${id} was finished and is still here`;
    // One whose results were to stay here waits for its Finish all the same.
    if (answer.status === "canceled" && !answer.isRedirected) yield `answer ${id} was canceled and is still here`;
    for (const problem of answer.check()) yield `answer ${id} ${problem}`;
  }
}

function* checkExports({ exports, exportsByHook }: ConnectionState): Generator<string> {
  yield* exports.check("exports");
  for (const row of exports.values()) {
    const { id, references, hook, stopWaiting, reflected } = row;
    if (exports.get(id) !== row) yield `export ${id} is not where its id says`;
    if (!(references > 0)) yield `export ${id} has ${references} references`;
    if (hook.isDestroyed) yield `export ${id} holds a capability that was destroyed`;
    if (stopWaiting !== undefined && !hook.isPromise) yield `export ${id} waits for what is no promise`;
    if (reflected !== undefined && exportsByHook.get(reflected) !== row) {
      yield `what the peer's descriptions of export ${id} stand for would be exported under another id`;
    }
  }
  for (const [hook, row] of exportsByHook) {
    if (exports.get(row.id) !== row) yield `a capability would be sent as export ${row.id}, which is gone`;
    if (hook !== row.hook && hook !== row.reflected)
      yield `a capability would be sent as export ${row.id}, which is another`;
  }
}

function* checkImports({ imports }: ConnectionState): Generator<string> {
  for (const [id, { client, received, promise, promised }] of imports) {
    if (client !== undefined && client.id !== id) yield `import ${client.id} is kept as ${id}`;
    if (client?.isDestroyed) yield `import ${id} was given up and not released`;
    if (!(received > 0)) yield `import ${id} was received ${received} times`;
    if (promise === undefined) continue;
    if (promised === "no") yield `import ${id} has a promise, and the peer never called it one`;
    if (promised === "resolved" && promise.isPromise) yield `import ${id} was resolved, and its promise waits`;
    if (promise.isDestroyed) yield `import ${id} has a promise that was given up`;
  }
}

function* checkEmbargoes({ embargoes }: ConnectionState): Generator<string> {
  yield* embargoes.check("embargoes");
  for (const embargo of embargoes.values()) {
    if (embargoes.get(embargo.id) !== embargo) yield `embargo ${embargo.id} is not where its id says`;
    if (!embargo.queued.isPromise) yield `embargo ${embargo.id} was lifted and is still here`;
    if (embargo.replacement.isDestroyed) yield `embargo ${embargo.id} is of a capability that was destroyed`;
  }
}

function* checkClosed(state: ConnectionState): Generator<string> {
  if (state.closedBy === undefined) return;
  const { questions, pipelineQuestions, answers, exports, exportsByHook, imports, embargoes, atClose } = state;
  const tables = { questions, pipelineQuestions, answers, exports, exportsByHook, imports, embargoes, atClose };
  for (const [name, { size }] of Object.entries(tables)) {
    if (size !== 0) yield `the connection is over, and ${name} has ${size} rows`;
  }
}
