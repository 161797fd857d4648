# A stream of bytes as a capability.
@0x8f5d14e1c273738d;

$import "/capnp/c++.capnp".namespace("capnp");

interface ByteStream {
  write @0 (bytes :Data) -> stream;
  # Sends a piece.

  end @1 ();
  # The stream is complete. A stream that is released without it was cut off.

  getSubstream @2 (callback :SubstreamCallback,
                   limit :UInt64 = 0xffffffffffffffff) -> (substream :ByteStream);
  # Lends the stream's way on to someone who has up to `limit` bytes to send. Until `callback` is told, nothing else may be
  # written here.

  interface SubstreamCallback {
    ended @0 (byteCount :UInt64);
    # The substream was ended after so many bytes; the stream itself goes on.

    reachedLimit @1 () -> (next :ByteStream);
    # The limit is used up. What follows, beginning with the rest of the piece that crossed it, goes to `next`.
  }
}
