import { canceledError } from "./local-call-context.ts";
import { type CallOptions, watchCall } from "./remote-promise.ts";
import type { PendingCall } from "./request.ts";

const room: Promise<void> = Promise.resolve();

/**
 * What the caller of a streaming method gets: resolves when the stream has room for another call, rejects when it has failed.
 * The options give the call up for as long as it waits, and not after that.
 *
 * Nobody needs to look at it: who does not wait is not told here, but by the next call on the same capability. So it never
 * counts as an unhandled rejection.
 */
export const roomAfter = (pending: PendingCall, options: CallOptions | undefined): Promise<void> => {
  let outcome: "pending" | "room" | Error = "pending";
  let settle: ((outcome: "room" | Error) => void) | undefined;
  const told = (what: "room" | Error): void => {
    outcome = what;
    settle?.(what);
  };
  pending.onReturn({
    returned: (results) => {
      results.release();
      told("room");
    },
    threw: told,
  });
  // In most cases it is there at once.
  if ((outcome as string | Error) === "room") return room;
  const promise = new Promise<void>((resolve, reject) => {
    if (outcome !== "pending") {
      reject(outcome);
      return;
    }
    const stop =
      options === undefined ? undefined : watchCall(options, (reason) => pending.cancel(canceledError(reason)));
    settle = (what) => {
      stop?.();
      if (what === "room") resolve();
      else reject(what);
    };
    // An AbortSignal that was aborted before has canceled the call just now, before anybody listened here.
    if (outcome !== "pending") settle(outcome);
  });
  promise.catch(() => undefined);
  return promise;
};
