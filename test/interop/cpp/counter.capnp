@0xe9f3a1c5d7b28406;
# A stream of numbers, between this library and C++.

interface Counter {
  add @0 (n :UInt32, padding :Data) -> stream;
  # Takes a moment. Fails for 4294967295.

  total @1 () -> (total :UInt64, calls :UInt32, most :UInt32);
  # The sum, how many calls there were, and how many of them were ever at work together.
}
