import { type Logger, pino } from "pino";

/**
 * Where the servers log: standard error, because standard output is for the line that says where they listen. For a terminal
 * pino-pretty makes the lines readable, where it is installed; `LOG_FORMAT` (`pretty` or `json`) decides otherwise. `LOG_LEVEL` is
 * `info` by default.
 */
export const makeLogger = (): Logger => {
  const options = { level: process.env.LOG_LEVEL ?? "info" };
  const format = process.env.LOG_FORMAT ?? (process.stderr.isTTY ? "pretty" : "json");
  if (format !== "pretty" || !hasPinoPretty()) return pino(options, pino.destination(2));
  const target = { destination: 2, colorize: process.stderr.isTTY && process.env.NO_COLOR === undefined };
  return pino(
    options,
    pino.transport({ target: "pino-pretty", options: { ...target, ignore: "pid,hostname", singleLine: true } }),
  );
};

const hasPinoPretty = (): boolean => {
  try {
    import.meta.resolve("pino-pretty");
    return true;
  } catch {
    return false;
  }
};
