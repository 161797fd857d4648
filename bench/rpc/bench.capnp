@0xc4e9b6e0f3a1d257;
# What the works on RPC call.

interface Bench {
  add @0 (a :Int32, b :Int32) -> (sum :Int32);
  next @1 () -> (next :Bench);
  # The object itself: each link of a pipelined chain.
  echo @2 (data :Data) -> (data :Data);
}
