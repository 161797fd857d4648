/** The part of a logger that this library uses. A pino logger satisfies it as it is. */
export interface Logger {
  trace(details: object, message: string): void;
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

const silence = (): void => undefined;

/** Logs nothing: the default everywhere. */
export const silent: Logger = { trace: silence, debug: silence, info: silence, warn: silence, error: silence };
