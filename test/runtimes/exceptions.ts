import type { RuntimeName } from "./runtimes.ts";

/** Test files that are no part of what every runtime must pass. */
export interface NotPortable {
  /** How the paths of the files below test/ begin. */
  readonly files: readonly string[];
  readonly reason: string;
}

export const notPortable: readonly NotPortable[] = [
  { files: ["interop/"], reason: "programs in C++ and Rust play the other role" },
  { files: ["browser/bundle", "browser/page"], reason: "they run a browser, or look at what is bundled for it" },
  { files: ["consumers/"], reason: "npm packs the library, and projects for Node install it" },
  {
    files: ["codegen/compiles", "codegen/random-schemas", "types.test"],
    reason: "TypeScript's compiler is what they run, on generated code and on the library's types",
  },
  {
    files: [
      "architecture.test",
      "codegen/committed",
      "errors.test",
      "parity.test",
      "quickstart/statements",
      "readme.test",
      "runtimes/",
    ],
    reason: "they read the files of this repository: sources, documents and tables",
  },
  {
    files: ["documents.test", "rpc/streams-page.test"],
    reason: "they run the commands that the documents show, which are those of Node",
  },
];

/** Tests that a runtime does not pass, for a reason that is not this library's. */
export interface Exception {
  readonly on: readonly RuntimeName[];
  /** How the path of the test's file below test/ begins. */
  readonly file: string;
  /** A part of the test's full title. Default: all tests of the file. */
  readonly title?: string;
  /** What does not work there, for the reader of the matrix. */
  readonly reason: string;
}

const bun = ["bun"] as const;
const deno = ["deno"] as const;

const exceptions: readonly Exception[] = [
  ...[
    { file: "attacks/memory", title: "all that a reader keeps alive" },
    { file: "attacks/memory", title: "keep nothing of it" },
    { file: "attacks/rpc-cleanup", title: "keeps nothing of the connection" },
    { file: "rpc/connection/export", title: "an import that arrives again after its last client was collected" },
  ].map((test) => ({
    ...test,
    on: bun,
    reason:
      "Its collector keeps objects that only an old stack frame may refer to, so that it cannot be told what is garbage.",
  })),
  {
    on: bun,
    file: "rpc/capability/leak-watch",
    reason: "Its stacks do not name async functions, by which the tests tell what they forgot. Leaks are reported.",
  },
  ...[
    { file: "certificate-rotation", title: "hold for who resumes a session" },
    { file: "transport/tls-options", title: "is taken up again by the second connection" },
  ].map((test) => ({
    ...test,
    on: bun,
    reason: "It does not take TLS sessions up again: every connection makes a whole handshake.",
  })),
  {
    on: bun,
    file: "transport/tls.test",
    title: "speaks nothing older than TLS 1.2",
    reason: "The test asks for old versions with a cipher list of OpenSSL, which BoringSSL does not know.",
  },
  {
    on: bun,
    file: "transport/web-socket",
    title: "no message in more than maxFragments",
    reason: "It brings a ws of its own, which does not count fragments. maxFrameBytes holds.",
  },
  {
    on: bun,
    file: "browser/server",
    title: "says what is wrong with an address",
    reason: "Its HTTP server says that a port is in use in other words, and without a code.",
  },
  {
    on: bun,
    file: "quickstart/client",
    title: "a file descriptor is a raw socket",
    reason: "A net.Socket that it makes of a file descriptor, which the parent process gave it, carries nothing.",
  },
  {
    on: bun,
    file: "register.test",
    title: "gives the same classes by import, by require",
    reason:
      "With the import hook, require gives the module, whose default is the file, where Node gives the file itself.",
  },
  {
    on: bun,
    file: "quickstart/loading",
    title: "without the hook an import is refused",
    reason:
      "Without the hook, it takes a schema for a file whose path is what one imports, and refuses in other words.",
  },
  ...[{ file: "register.test", title: "restarts under node --watch" }, { file: "transport/lazy" }].map((test) => ({
    ...test,
    on: [...bun, ...deno],
    reason: "The test is about Node's own --watch and list of modules.",
  })),

  ...[
    { file: "certificate-rotation", title: "do not fit together are refused" },
    { file: "transport/tls.test", title: "rejects keys and certificates that cannot be used" },
  ].map((test) => ({
    ...test,
    on: deno,
    reason:
      "It looks at keys and certificates when a connection needs them, so that wrong ones are not refused before.",
  })),
  ...[
    { file: "certificate-rotation", title: "are read anew from their files" },
    { file: "certificate-rotation", title: "hold for who resumes a session" },
    { file: "transport/tls-options", title: "fingerprint256 of a client lets a server in" },
    { file: "transport/tls-options", title: "fingerprint256 of a client keeps any other out" },
    { file: "transport/tls-options", title: "fingerprint256 of a client asks for all of it" },
    { file: "transport/tls-options", title: "a session is taken up again by the second connection" },
    { file: "transport/tls-options", title: "a session is not taken up with a server that has another certificate" },
    { file: "transport/tls.test", title: "trusts nobody without the authority's certificate" },
  ].map((test) => ({
    ...test,
    on: deno,
    reason:
      "Its servers of one process take up each other's TLS sessions, and its clients find sessions by the host's name alone: who " +
      "connects to two of them by one name, or after the certificate was replaced, is shown the first certificate again.",
  })),
  ...[
    { file: "transport/tls-options", title: "say that a certificate has expired" },
    { file: "bad-input", title: "its certificate has expired" },
  ].map((test) => ({
    ...test,
    on: deno,
    reason: "Its error for an expired certificate is the one for an unknown authority.",
  })),
  {
    on: deno,
    file: "transport/contract",
    title: "TLS over a Unix socket too much that waits",
    reason:
      "Its TLS over a Unix socket takes any number of bytes and does not tell that they wait: maxQueuedBytes never ends one.",
  },
  {
    on: deno,
    file: "certs/make",
    title: "signed by one authority",
    reason: "Its X509Certificate.keyUsage lists the usages, where Node's lists the extended ones.",
  },
  ...[
    { file: "certs/make", title: "are the same for processes that make them at once" },
    { file: "rpc/capability/leak-watch", title: "is turned on by CAPSTAN_LEAKS=1" },
    { file: "two-way-pipe", title: "keeps its process alive" },
  ].map((test) => ({
    ...test,
    on: deno,
    reason: "A program that is given to it with Node's -e imports no modules, and the test starts one so.",
  })),
  ...[
    { file: "register.test", title: "gives the same classes by import, by require" },
    { file: "register.test", title: "throws what is wrong with a schema" },
  ].map((test) => ({
    ...test,
    on: deno,
    reason: "With the import hook, import takes schemas and require does not: capstan/require alone serves that.",
  })),
  {
    on: deno,
    file: "register.test",
    title: "finds schemas of packages, from modules",
    reason: "It does not ask the import hook about the files of packages.",
  },
  ...[
    { file: "quickstart/server", title: "a server runs for ever" },
    { file: "chaos/rolling", title: "servers that drain are restarted" },
    { file: "clients/serving", title: "end in order when they are told to" },
  ].map((test) => ({
    ...test,
    on: deno,
    reason: "It says of a process that ended by itself after a signal that the signal ended it.",
  })),
  {
    on: deno,
    file: "quickstart/loading",
    title: "without the hook an import is refused",
    reason: "It refuses in other words.",
  },
  {
    on: deno,
    file: "rpc/streaming",
    title: "lets go at once of calls that are given up",
    reason: "process.memoryUsage() says nothing of array buffers, by which the test measures.",
  },
];

/** The exceptions of one runtime. */
export const exceptionsOf = (name: RuntimeName): readonly Exception[] =>
  exceptions.filter(({ on }) => on.includes(name));
