import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { repositoryRoot } from "./repository.ts";

export interface Finished {
  /** The exit status, or null where a signal ended the process. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  /** Added to the environment of the tests. */
  readonly env?: Readonly<Record<string, string>>;
  /** How long `run` or one `line` may take, in milliseconds. Default: 20 seconds. */
  readonly timeout?: number;
  /** Whether it has a standard input, for `write`. */
  readonly input?: boolean;
}

const defaultTimeout = 20_000;
/** How long a process may take to end after SIGTERM before SIGKILL follows. */
const grace = 3_000;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A process that a test started, in the repository's root, without standard input unless it is asked for. */
export class RunningProcess {
  readonly #child: ChildProcess;
  readonly #command: string;
  readonly #timeout: number;
  readonly #closed: Promise<void>;
  #stdout = "";
  #stderr = "";
  #hasClosed = false;
  readonly #waiting = new Set<() => void>();

  constructor(command: string, args: readonly string[], options: ProcessOptions = {}) {
    this.#command = [command, ...args].join(" ");
    this.#timeout = options.timeout ?? defaultTimeout;
    this.#child = spawn(command, args, {
      cwd: repositoryRoot,
      env: { ...process.env, ...options.env },
      stdio: [options.input === true ? "pipe" : "ignore", "pipe", "pipe"],
    });
    running.add(this.#child);
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
      this.#changed();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      this.#changed();
    });
    this.#closed = new Promise((resolve) => {
      const close = () => {
        running.delete(this.#child);
        this.#hasClosed = true;
        this.#changed();
        resolve();
      };
      this.#child.on("close", close);
      this.#child.on("error", (error) => {
        this.#stderr += `${error.message}\n`;
        if (this.#child.pid === undefined) close();
      });
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  /** Writes to the standard input that the option `input` gave it. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Resolves with the match of the first whole line of standard output that `pattern` matches. */
  async line(pattern: RegExp): Promise<RegExpMatchArray> {
    const find = () => {
      for (const line of this.#stdout.split("\n").slice(0, -1)) {
        const match = line.match(pattern);
        if (match) return match;
      }
      return undefined;
    };
    const match = await this.#until(() => find() ?? (this.#hasClosed ? null : undefined), `a line like ${pattern}`);
    if (match === null) throw new Error(`ended before it printed a line like ${pattern}: ${this.#describe()}`);
    return match;
  }

  /** Resolves when the process has ended by itself. One that takes too long is killed, and this rejects. */
  async finished(): Promise<Finished> {
    try {
      await this.#until(() => this.#hasClosed || undefined, "its end");
    } finally {
      await this.stop();
    }
    return { status: this.#child.exitCode, stdout: this.#stdout, stderr: this.#stderr };
  }

  /** Ends the process, gently first. Resolves when it is gone, and at once where it is gone already. */
  async stop(): Promise<void> {
    if (this.#hasClosed) return;
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), grace);
    await this.#closed;
    clearTimeout(timer);
  }

  /** Ends the process at once: it has no time to say goodbye. Resolves when it is gone. */
  async kill(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    // Not by the child's own `kill`: Deno's closes its standard input first, which a program may take for a goodbye.
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(pid, "SIGKILL");
    await this.#closed;
  }

  /** Stops the process where it is: its connections stand, and nobody is there. */
  suspend(): void {
    this.#child.kill("SIGSTOP");
  }

  #changed(): void {
    for (const check of this.#waiting) check();
  }

  #until<T>(probe: () => T | undefined, awaited: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.#waiting.delete(check);
      };
      const check = () => {
        const found = probe();
        if (found === undefined) return;
        settle();
        resolve(found);
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`${this.#timeout} ms passed without ${awaited}: ${this.#describe()}`));
      }, this.#timeout);
      this.#waiting.add(check);
      check();
    });
  }

  #describe(): string {
    return `${this.#command}\n--- stdout\n${this.#stdout}--- stderr\n${this.#stderr}`;
  }
}

/** The processes of one test. `afterEach(() => processes.stop())` leaves none running. */
export class Processes {
  #started: RunningProcess[] = [];

  start(command: string, args: readonly string[], options?: ProcessOptions): RunningProcess {
    const child = new RunningProcess(command, args, options);
    this.#started.push(child);
    return child;
  }

  /** Starts a process and waits for its end. */
  run(command: string, args: readonly string[], options?: ProcessOptions): Promise<Finished> {
    return this.start(command, args, options).finished();
  }

  async stop(): Promise<void> {
    const started = this.#started;
    this.#started = [];
    await Promise.all(started.map((child) => child.stop()));
  }
}

/** True where the shell would find `command`, but never where CAPSTAN_WITHOUT_PEERS is 1. */
export async function isInstalled(command: string): Promise<boolean> {
  if (process.env.CAPSTAN_WITHOUT_PEERS === "1") return false;
  const probe = spawn("sh", ["-c", 'command -v "$1"', "sh", command], { stdio: "ignore" });
  const [status] = (await once(probe, "close")) as [number | null];
  return status === 0;
}
