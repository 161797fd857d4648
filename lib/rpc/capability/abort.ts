interface Waiting {
  readonly listeners: Set<() => void>;
  readonly stop: () => void;
}

const waiting = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls back when a signal is aborted; what it returns ends that. However many calls share a signal, it gets one listener: of more
 * than ten, Node warns as of a leak.
 */
export const onAbort = (signal: AbortSignal, listener: () => void): (() => void) => {
  const { listeners, stop } = waiting.get(signal) ?? watch(signal);
  listeners.add(listener);
  return () => {
    if (listeners.delete(listener) && listeners.size === 0) stop();
  };
};

const watch = (signal: AbortSignal): Waiting => {
  const listeners = new Set<() => void>();
  const stop = (): void => {
    waiting.delete(signal);
    signal.removeEventListener("abort", abort);
  };
  const abort = (): void => {
    stop();
    for (const listener of listeners) listener();
  };
  const watched = { listeners, stop };
  waiting.set(signal, watched);
  signal.addEventListener("abort", abort);
  return watched;
};
