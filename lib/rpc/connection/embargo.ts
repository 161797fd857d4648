import type { ClientHook } from "../capability/client-hook.ts";
import type { QueuedClient } from "../capability/queued-client.ts";
import type { EmbargoId } from "./ids.ts";

/**
 * Calls that must wait until older ones, which went to the peer and are on their way back, have arrived.
 *
 * State: standing (calls queue up in `queued`) -> lifted (Disembargo with receiverLoopback came: `queued` resolves to
 * `replacement`) | broken (the connection was lost).
 */
export interface Embargo {
  readonly id: EmbargoId;
  readonly queued: QueuedClient;
  /** Owned until the embargo is lifted. */
  readonly replacement: ClientHook;
}
