# What rpc.capnp leaves open, settled for the network of exactly two vats on one byte stream.
@0xa184c7885cdaf2a1;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("capnp::rpc::twoparty");

enum Side {
  # The two ends of the connection.

  server @0;
  # The end that accepted the connection.

  client @1;
  # The end that opened it.
}

struct VatId {
  side @0 :Side;
}

struct ProvisionId {
  # Only joins need one: a network of two has no third party to introduce.

  joinId @0 :UInt32;
  # As in `JoinKeyPart`.
}

struct RecipientId {}

struct ThirdPartyCapId {}

struct JoinKeyPart {
  # One part of a join. All parts cross the same connection, so that their receiver can wait for the last of them.

  joinId @0 :UInt32;
  # Chosen by the sender; free again once each `Join` of the set has been finished.

  partCount @1 :UInt16;
  # How many parts there are.

  partNum @2 :UInt16;
  # Which of them this one is, from 0.
}

struct JoinResult {
  joinId @0 :UInt32;
  # As in `JoinKeyPart`.

  succeeded @1 :Bool;
  # The same in all results of one join.

  cap @2 :AnyPointer;
  # The joined capability, in one of the results.
}
