import { CapnpError } from "../../errors.ts";

/** What a call gets that is pipelined on an answer which holds no capability, or is not there any more. */
export const closedPipeline = (): CapnpError =>
  new CapnpError("CAPNP_CALL", "Pipeline call on a request that returned no capabilities or was already closed.");
