import { CapnpError } from "../../errors.ts";
import { type Clock, systemClock } from "../clock.ts";
import { CallBudget, FlowController, type FlowWindow } from "./flow-controller.ts";
import { AdaptiveWindow, defaultStreamWindow, FixedWindow } from "./flow-window.ts";

/** A number of bytes, or a window that adapts to the connection. */
export type StreamWindow = number | "adaptive";

/** Half of the calls that a vat of this library serves at once for one peer (`maxCalls`): what is no stream needs some, too. */
const maxStreamedCalls = 512;
/** Half of the params that such a vat holds for one peer (`maxParamBytes`). What exceeds that breaks the stream. */
const largestAdaptiveWindow = 8 * 1024 * 1024;

/** Makes the flow control of each stream of one connection. Throws CAPNP_RANGE for a window that is no number of bytes. */
export const streamsOf = (
  window: StreamWindow = defaultStreamWindow,
  clock: Clock = systemClock,
): (() => FlowController) => {
  const budget = new CallBudget(maxStreamedCalls);
  const make = (newWindow: () => FlowWindow) => () => new FlowController(newWindow(), budget);
  if (window === "adaptive") return make(() => new AdaptiveWindow(() => clock.now(), largestAdaptiveWindow));
  if (!Number.isSafeInteger(window) || window <= 0) {
    throw new CapnpError("CAPNP_RANGE", `streamWindow is ${window}; it is a positive number of bytes, or "adaptive".`);
  }
  return make(() => new FixedWindow(window));
};
