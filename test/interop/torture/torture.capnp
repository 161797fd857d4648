@0xb7d5c1f06d3a4e92;
# What two implementations of the protocol do to each other in the torture tests. Every peer implements it and checks the
# other one; see torture.test.ts.

interface Torture {
  # The bootstrap object of a connection, and every object that it makes. Objects of one connection share counters.

  next @0 () -> Link;
  # A new object, and how many calls of `next` led to it from the bootstrap object.

  order @1 () -> Count;
  # How many calls of `order` this object has had before.

  echo @2 (cap :Torture) -> (cap :Torture);
  # The capability itself.

  promise @3 () -> (cap :Torture, resolver :Resolver);
  # A capability that is a promise until its resolver says what it is.

  hold @4 (cap :Torture);
  # Keeps the capability, in place of the one that was kept before.

  held @5 () -> (cap :Torture);
  # The capability that is kept; null where there is none.

  letGo @6 ();
  # Gives up the capability that is kept.

  callHeld @7 () -> Count;
  # Calls `order` on the capability that is kept, and returns what that returned.

  tailOrder @8 (callee :Torture) -> Count;
  # A tail call of `callee.order`.

  tailNext @9 (callee :Torture) -> Link;
  # A tail call of `callee.next`.

  never @10 (cap :Torture);
  # Does not return. Gives up, and releases the capability, when it is canceled.

  canceled @11 () -> (count :UInt32);
  # How many calls of `never` have been given up.

  write @12 (data :Data) -> stream;
  # Fails where the data is empty.

  written @13 () -> (bytes :UInt64, calls :UInt32);
  # What came through `write` to this object.

  throw @14 (kind :Kind, text :Text);
  # Fails in this way.

  null @15 () -> (cap :Torture);
  # A capability that is null.

  broken @16 () -> (cap :Torture);
  # A capability that turns out to be broken: "broken as asked".

  alive @17 () -> (objects :UInt32);
  # How many objects of this connection that `next` made have not been released.

  struct Link {
    next @0 :Torture;
    depth @1 :UInt32;
  }

  struct Count {
    n @0 :UInt32;
  }

  enum Kind {
    failed @0;
    overloaded @1;
    disconnected @2;
    unimplemented @3;
  }

  interface Resolver {
    resolve @0 (cap :Torture);
    reject @1 (text :Text);
  }
}
