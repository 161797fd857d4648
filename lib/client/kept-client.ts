import { silent } from "../logger.ts";
import { type Clock, systemClock } from "../rpc/clock.ts";
import type { VatOptions } from "../two-party-vat.ts";
import { Backoff } from "./backoff.ts";
import type { Dialer } from "./dial.ts";
import { IdempotentMethods } from "./idempotent.ts";
import type { KeepaliveOptions } from "./keepalive.ts";
import { keepaliveOf, readClientLimits, readReconnectLimits, readRetryLimits } from "./limits.ts";
import type { KeptOptions } from "./options.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { RetryPolicy } from "./retrying-client.ts";
import { RpcClient } from "./rpc-client.ts";

/** What `connect` makes where `needsSessions` says so. Resolves when the first session stands, with `lazy` at once. */
export const keptClient = async (
  options: VatOptions & KeptOptions & { readonly keepalive?: KeepaliveOptions | false; readonly signal?: AbortSignal },
  address: string,
  dialer: Dialer,
  random: () => number,
): Promise<RpcClient> => {
  const { reconnect = true, clock = systemClock, logger = silent, lazy = false } = options;
  const { connectTimeout: _, ...times } = readClientLimits(options);
  const reconnectLimits = readReconnectLimits(typeof reconnect === "object" ? reconnect : {});
  const { minDelay, maxDelay } = reconnectLimits;
  const client = new RpcClient({
    ...times,
    ...reconnectLimits,
    dialer,
    vat: options,
    clock,
    logger,
    random,
    reconnects: reconnect !== false,
    keepalive: keepaliveOf(options),
    onSession: options.onSession,
    retry: retryPolicy(options.retry, clock, () => new Backoff(minDelay, maxDelay, random)),
    address,
  });
  if (!lazy) await RpcClient.started(client, options.signal);
  return client;
};

const retryPolicy = (retry: KeptOptions["retry"], clock: Clock, newBackoff: () => Backoff): RetryPolicy | undefined => {
  if (retry === false) return undefined;
  const { attempts, budget, refill } = readRetryLimits(retry ?? {});
  const methods = new IdempotentMethods(retry?.methods ?? []);
  return { methods, attempts, budget: new RetryBudget(budget, refill), clock, newBackoff };
};
