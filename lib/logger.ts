/**
 * The part of a logger that this library uses. A pino logger satisfies it as it is.
 *
 * Every line about a connection has `conn` (its number in this process) and `peer` (the address); about a call also `method` and
 * `call`; about a failure `code` and `kind`, or `err` with an error that is none of ours. Params, results, keys, object ids and
 * the texts of errors that came from methods as CapnpError are never logged.
 */
export interface Logger {
  trace(details: object, message: string): void;
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
  /** A logger that adds fields to every line. Without it they are added to each line's details. */
  child?(fields: Record<string, unknown>): Logger;
}

const silence = (): void => undefined;

/** Logs nothing: the default everywhere. */
export const silent: Logger = { trace: silence, debug: silence, info: silence, warn: silence, error: silence };

/**
 * The same logger for lines of our own. They are written in the midst of the protocol: what it throws must not keep a call from its
 * answer, and is printed.
 */
export const contained = (logger: Logger): Logger => {
  if (logger === silent) return silent;
  const line =
    (level: "trace" | "debug" | "info" | "warn" | "error") =>
    (details: object, message: string): void => {
      try {
        logger[level](details, message);
      } catch (error) {
        console.error(`capstan: the logger threw at "${message}":`, error);
      }
    };
  return { trace: line("trace"), debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
};

/** A logger that adds fields to every line, whether the given one has children or not. */
export const childLogger = (logger: Logger, fields: Record<string, unknown>): Logger => {
  if (logger === silent) return silent;
  if (logger.child !== undefined) return logger.child(fields);
  return {
    trace: (details, message) => logger.trace({ ...fields, ...details }, message),
    debug: (details, message) => logger.debug({ ...fields, ...details }, message),
    info: (details, message) => logger.info({ ...fields, ...details }, message),
    warn: (details, message) => logger.warn({ ...fields, ...details }, message),
    error: (details, message) => logger.error({ ...fields, ...details }, message),
  };
};
