# Calls that take their time, and news that come by themselves: what a client that reconnects has to get right.
@0xf5745ea9c82baa3a;

using Capstan = import "/capstan/rpc.capnp";

interface Example {
  interface StatusSubscriber {
    status @0 (value :Bool);
    # The news.
  }

  longRunning @0 () -> (value :Bool) $Capstan.idempotent;
  # Takes a while. It can be called again when the connection was lost.

  subscribeStatus @1 (subscriber :StatusSubscriber);
  # From now on the subscriber is told, for as long as the connection lasts.

  alive @2 () -> (value :Bool) $Capstan.idempotent;
  # Whether the server is.
}
